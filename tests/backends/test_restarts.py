"""Programs are killed and start again while the shop sells: what the backends hold is what the store holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from otel_taskflow.testing.otlp_receiver import OTLPReceiver, Reply
from tests.backends.stack import (
    Stack,
    count_spans,
    queued,
    run_shop,
    running_stack,
    shown_lines,
    wait_until,
    wait_until_settled,
)

pytestmark = [pytest.mark.backends, pytest.mark.timeout(300)]
ORDERS = 200


def kill_collector(stack: Stack) -> None:
    stack.collector.kill()
    stack.collector.start()


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


def span_ids(tempo: OTLPReceiver) -> set[str]:
    return {span.span_id.hex() for span in tempo.spans}


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
