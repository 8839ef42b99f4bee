"""Streams of Loki and series of Prometheus do not grow with tasks; how they grow with processes is known."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from time import time_ns

import pytest

from tests.backends.loki import running_loki
from tests.backends.otlp import post_logs
from tests.backends.shop_tasks import ORDERS_OF_A_REPORT, tasks_of
from tests.backends.stack import (
    OF_SPANS,
    OF_THE_SDK,
    RUN_LIMIT,
    Stack,
    all_series,
    run_shop,
    running_stack,
    wait_until,
    wait_until_flushed,
    wait_until_settled,
)
from tests.collector.process import CONFIG
from tests.conftest import ROOT

pytestmark = [pytest.mark.backends, pytest.mark.timeout(300)]
MANY_ORDERS = 4_900
LIVES = 60
"""Ten instances and fifty restarts: sixty processes."""
COUNTS, DURATIONS = (f'{{__name__=~"traces_span_metrics_{name}_.+"}}' for name in ("calls", "duration"))
SERIES_OF_SPANS, SERIES_OF_A_PROCESS = 271, 139
"""As docs/reference/backends.md says."""


def test_ten_thousand_tasks_have_the_streams_and_series_of_a_hundred(tmp_path: Path) -> None:
    with running_stack(tmp_path) as stack:
        run = run_shop(stack, first=0, count=MANY_ORDERS, ending="grow")
        run.wait_for("small")
        wait_until_settled(stack)
        wait_until_flushed(stack)
        assert len(stack.kept().tasks) == tasks_of(ORDERS_OF_A_REPORT) == 100
        streams, labels, few = stack.loki.streams(), stack.loki.labels(), all_series(stack)
        run.go_on()
        run.finish()
        wait_until_settled(stack)
        wait_until_flushed(stack)
        assert len(stack.kept().tasks) == tasks_of(MANY_ORDERS) == 10_000
        assert (
            (stack.loki.streams(), stack.loki.labels())
            == (streams, labels)
            == ([{"service_name": "shop"}], {"service_name"})
        )
        assert all_series(stack) == few


@pytest.mark.parametrize(
    ("setting", "streams"), [("[service.name]", 1), ("[service.name, service.instance.id]", LIVES)]
)
def test_a_process_is_a_stream_of_its_own_only_if_its_id_is_an_index_label(
    tmp_path: Path, setting: str, streams: int
) -> None:
    text = (CONFIG / "backends" / "loki.yaml").read_text()
    assert "as_index_labels: [service.name]" in text
    (tmp_path / "loki.yaml").write_text(text.replace("as_index_labels: [service.name]", f"as_index_labels: {setting}"))
    with running_loki(tmp_path, configuration=tmp_path / "loki.yaml") as loki:
        for process in range(LIVES):
            post_logs(loki.otlp_endpoint, [(time_ns(), "here")], instance=str(process))
        assert len(loki.streams()) == streams


def test_a_restart_of_the_collector_makes_the_series_of_spans_again(tmp_path: Path) -> None:
    with running_stack(tmp_path) as stack:
        for life in range(2):
            run_shop(stack, first=life * ORDERS_OF_A_REPORT, count=ORDERS_OF_A_REPORT)
            wait_until_settled(stack)
            wait_until_flushed(stack)
            stack.collector.stop()
            stack.collector.start()
        for metrics in (COUNTS, DURATIONS):
            by_life = Counter(each["collector_instance_id"] for each in stack.prometheus.series(metrics))
            assert len(by_life) == 2
            assert len(set(by_life.values())) == 1


def test_restarts_of_the_app_add_no_stream_and_no_series_of_spans(tmp_path: Path) -> None:
    with running_stack(tmp_path) as stack:
        live(stack, "first", 1)
        wait_until(lambda: len(stack.prometheus.series(OF_SPANS)) > 0)
        wait_until_flushed(stack)
        of_spans, of_the_sdk = stack.prometheus.series(OF_SPANS), stack.prometheus.series(OF_THE_SDK)
        live(stack, "more", LIVES - 1)
        wait_until_flushed(stack)
        assert stack.loki.streams() == [{"service_name": "shop"}]
        assert len(stack.prometheus.series(OF_SPANS)) == len(of_spans)
        assert len(stack.prometheus.series(OF_THE_SDK)) == LIVES * len(of_the_sdk)
        assert (len(of_spans), len(of_the_sdk)) == (SERIES_OF_SPANS, SERIES_OF_A_PROCESS)


def live(stack: Stack, folder: str, lives: int) -> None:
    arguments = [str(tmp := stack.folder / folder), stack.collector.http_endpoint, str(lives)]
    tmp.mkdir()
    with (stack.folder / "lives.log").open("ab") as log:
        command = [sys.executable, "-m", "tests.backends.lives", *arguments]
        subprocess.run(command, cwd=ROOT, env=os.environ, check=True, timeout=RUN_LIMIT, stderr=log)
