"""Programs are killed and start again while the shop sells: what the backends hold is what the store holds."""

from __future__ import annotations

import re
import urllib.request
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from otel_taskflow.testing.otlp_receiver import OTLPReceiver, Reply
from tests.backends.otlp import post_spans
from tests.backends.stack import (
    ATTEMPTS,
    CALLS,
    Stack,
    count_lines,
    count_spans,
    run_shop,
    running_stack,
    shown_lines,
    wait_until,
    wait_until_settled,
)

pytestmark = [pytest.mark.backends, pytest.mark.timeout(300)]
ORDERS = 200
SMALL_QUEUE, TOO_MANY = str(Path(__file__).with_name("small-queue")), 301
"""A queue for 300 spans, and more than it takes at once."""


def kill_collector(stack: Stack) -> None:
    stack.collector.kill()
    stack.collector.restart()


def kill_loki(stack: Stack) -> None:
    stack.loki.kill()
    stack.loki.start()


def kill_prometheus(stack: Stack) -> None:
    stack.prometheus.kill()
    stack.prometheus.start()


def sell(stack: Stack, meanwhile: Callable[[Stack], None]) -> None:
    """The shop sells, and ``meanwhile`` happens after its first orders."""
    run = run_shop(stack, first=0, count=ORDERS, ending="flow")
    run.wait_for("flowing")
    meanwhile(stack)
    run.finish()


def test_a_collector_that_is_killed_with_a_full_queue_loses_no_line_and_no_span(tmp_path: Path) -> None:
    with OTLPReceiver() as tempo, running_stack(tmp_path, settings={"TEMPO_ENDPOINT": tempo.url}) as stack:
        tempo.default = Reply(503)

        def fail(stack: Stack) -> None:
            stack.loki.kill()
            assert wait_until(lambda: min(queued(stack, "loki"), queued(stack, "tempo")) > 0)
            kill_collector(stack)
            stack.loki.start()
            tempo.default = Reply()

        sell(stack, fail)
        attempts = {attempt.span_id for attempt in stack.kept().attempts}
        assert wait_until(lambda: attempts <= span_ids(tempo))
        expect_every_line_once(stack)


def expect_every_line_once(stack: Stack) -> None:
    """Log queries show each line of the store once. A count may count twice what was sent twice: test_windows.py."""
    expected = dict.fromkeys(stack.kept().uids, 1)
    wait_until(lambda: len(shown_lines(stack)) >= len(expected))
    assert shown_lines(stack) == expected


def queued(stack: Stack, exporter: str) -> float:
    """Records in the collector's queue for this destination."""
    with urllib.request.urlopen(f"http://{stack.collector.metrics_endpoint}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    found = re.findall(rf'otelcol_exporter_queue_size{{.*exporter="otlp_http/{exporter}".*}} (\S+)', text)
    return sum(map(float, found))


def span_ids(tempo: OTLPReceiver) -> set[str]:
    return {span.span_id.hex() for span in tempo.spans}


def test_a_killed_collector_takes_from_the_metrics_of_spans_what_it_had_not_flushed_and_nothing_else(
    tmp_path: Path,
) -> None:
    with running_stack(tmp_path) as stack:
        run_shop(stack, first=0, count=ORDERS)
        wait_until_settled(stack)
        flushed = len(stack.kept().attempts)
        run_shop(stack, first=ORDERS, count=ORDERS)
        stack.collector.kill()
        at_risk = len(stack.kept().attempts) - flushed
        stack.collector.restart()
        run_shop(stack, first=2 * ORDERS, count=ORDERS)
        after = len(stack.kept().attempts) - flushed - at_risk
        assert wait_until(lambda: after in spans_by_collector(stack).values())
        assert flushed + after <= count_spans(stack) <= flushed + at_risk + after


def spans_by_collector(stack: Stack) -> Counter[str]:
    query = f"sum by (collector_instance_id) (max_over_time({CALLS}{{{ATTEMPTS}}}[1h]))"
    return Counter({each.labels["collector_instance_id"]: int(each.value) for each in stack.prometheus.samples(query)})


def test_spans_that_a_full_queue_refuses_count_again_when_they_are_sent_again(tmp_path: Path) -> None:
    with running_stack(tmp_path, overlays=(SMALL_QUEUE,)) as stack:
        for _ in range(2):
            assert post_spans(stack.collector.http_endpoint, TOO_MANY, instance="one").status == 503
        assert wait_until(lambda: count_spans(stack) == 2 * TOO_MANY)


def test_a_collector_that_is_ended_in_good_order_does_not_flush_the_metrics_of_spans(tmp_path: Path) -> None:
    with running_stack(tmp_path, settings={"OTELCOL_SPAN_METRICS_INTERVAL": "1h"}) as stack:
        run_shop(stack, first=0, count=1)
        stack.collector.stop()
        stack.collector.restart()
        lines = sum(stack.kept().lines.values())
        assert wait_until(lambda: count_lines(stack) == lines)
        assert not wait_until(lambda: count_spans(stack) > 0, 3.0)


def test_a_collector_that_is_killed_after_a_flush_takes_nothing_from_the_metrics_of_spans(tmp_path: Path) -> None:
    with running_stack(tmp_path) as stack:
        run_shop(stack, first=0, count=ORDERS)
        wait_until_settled(stack)
        kill_collector(stack)
        run_shop(stack, first=ORDERS, count=ORDERS)
        wait_until_settled(stack)
        assert count_spans(stack) == len(stack.kept().attempts)
        assert len(spans_by_collector(stack)) == 2


def test_a_loki_that_is_killed_and_restarted_has_every_line_once(tmp_path: Path) -> None:
    with running_stack(tmp_path) as stack:
        sell(stack, kill_loki)
        wait_until_settled(stack)
        expect_every_line_once(stack)
        assert count_spans(stack) == len(stack.kept().attempts)


def test_a_prometheus_that_is_killed_and_restarted_counts_every_span_once(tmp_path: Path) -> None:
    with running_stack(tmp_path) as stack:
        sell(stack, kill_prometheus)
        wait_until_settled(stack)
        expect_every_line_once(stack)
        assert count_spans(stack) == len(stack.kept().attempts)


def test_a_shop_that_is_killed_while_it_sends_has_every_line_once(tmp_path: Path) -> None:
    with running_stack(tmp_path) as stack:
        run = run_shop(stack, first=0, count=ORDERS, ending="flow")
        run.wait_for("flowing")
        run.kill()
        run_shop(stack, first=ORDERS, count=ORDERS)
        wait_until_settled(stack)
        expect_every_line_once(stack)
        assert count_spans(stack) >= len(stack.kept().attempts)
