"""The collector is killed, or ended, while the shop sells: PromQL counts what the store holds, exactly.

Without exact-counts.yaml it lacks what came since the last flush, and nothing else.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from time import sleep

import pytest

from tests.backends.otlp import post_spans
from tests.backends.stack import (
    ATTEMPTS,
    BASE_ALONE,
    CALLS,
    FLUSH,
    OVERLAYS,
    Stack,
    count_durations,
    count_lines,
    count_spans,
    queued,
    run_shop,
    running_stack,
    wait_until,
    wait_until_settled,
)
from tests.collector.process import Collector

pytestmark = [pytest.mark.backends, pytest.mark.timeout(300)]
ORDERS = 100
MANY_ORDERS = 1_500
ENDS = 10
"""How often the collector ends while the shop sells."""
SMALL_QUEUE, TOO_MANY = str(Path(__file__).with_name("small-queue")), 301
"""A queue for 300 spans and one for 10 data points; more spans than it takes at once."""
MORE_THAN_A_FLUSH = 30
"""Data points that wait only if the flush before them does."""
NEVER = {"OTELCOL_SPAN_METRICS_INTERVAL": "1h"}

Kind = tuple[str, str]
"""A task and the outcome of an attempt."""

in_both_ways = pytest.mark.parametrize("end", [Collector.kill, Collector.stop], ids=["SIGKILL", "SIGTERM"])


def outcomes(stack: Stack) -> Counter[Kind]:
    """How many attempts of each task Prometheus knows to have ended how."""
    by = "messaging_destination_name, otel_taskflow_attempt_outcome"
    samples = stack.prometheus.samples(f"sum by ({by}) (max_over_time({CALLS}{{{ATTEMPTS}}}[1h]))")
    return Counter(
        {
            (each.labels["messaging_destination_name"], each.labels["otel_taskflow_attempt_outcome"]): int(each.value)
            for each in samples
        }
    )


def spans_by_collector(stack: Stack) -> dict[str, int]:
    query = f"sum by (collector_instance_id) (max_over_time({CALLS}{{{ATTEMPTS}}}[1h]))"
    return {each.labels["collector_instance_id"]: int(each.value) for each in stack.prometheus.samples(query)}


def sell_while_it_ends(folder: Path, end: Callable[[Collector], None]) -> tuple[Counter[Kind], Counter[Kind]]:
    """The shop sells, and the collector ends and starts again and again; what Prometheus counted then, and what the store holds."""
    folder.mkdir()
    with running_stack(folder) as stack:
        run = run_shop(stack, first=0, count=MANY_ORDERS, ending="flow")
        run.wait_for("flowing")
        for _ in range(ENDS):
            sleep(random.uniform(0.1, 0.8))  # Any moment will do: there is nothing to wait for.
            end(stack.collector)
            stack.collector.start()
        assert run.is_running
        run.finish()
        wait_until_settled(stack)
        return outcomes(stack), Counter(stack.kept().outcomes)


def test_a_collector_that_is_killed_at_any_moment_loses_no_count_and_counts_nothing_twice(tmp_path: Path) -> None:
    """Twice counts what was written and not yet answered: a matter of less than a millisecond, which is not met in two runs."""
    found, kept = sell_while_it_ends(tmp_path / "first", Collector.kill)
    assert kept - found == Counter()
    if found != kept:
        found, kept = sell_while_it_ends(tmp_path / "second", Collector.kill)
    assert found == kept


def test_a_collector_that_is_ended_in_good_order_at_any_moment_counts_exactly(tmp_path: Path) -> None:
    found, kept = sell_while_it_ends(tmp_path / "run", Collector.stop)
    assert found == kept


@in_both_ways
def test_what_came_since_the_last_flush_counts_in_the_next_life(
    tmp_path: Path, end: Callable[[Collector], None]
) -> None:
    with running_stack(tmp_path, settings=NEVER) as stack:
        run_shop(stack, first=0, count=ORDERS)
        end(stack.collector)
        assert count_spans(stack) == 0
        stack.collector.environment = {**stack.collector.environment, "OTELCOL_SPAN_METRICS_INTERVAL": FLUSH}
        stack.collector.start()
        wait_until_settled(stack)
        assert outcomes(stack) == stack.kept().outcomes
        assert count_durations(stack) == 0


def test_each_life_of_the_collector_counts_what_came_to_it(tmp_path: Path) -> None:
    with running_stack(tmp_path) as stack:
        lives: list[int] = []
        for life in range(2):
            run_shop(stack, first=life * ORDERS, count=ORDERS)
            wait_until_settled(stack)
            lives.append(len(stack.kept().attempts) - sum(lives))
            stack.collector.kill()
            stack.collector.start()
        assert sorted(spans_by_collector(stack).values()) == sorted(lives)


@pytest.mark.parametrize("arrangement", [OVERLAYS, BASE_ALONE], ids=["exact", "base"])
def test_each_series_begins_with_0_so_that_the_first_of_a_kind_is_an_increase(
    tmp_path: Path, arrangement: tuple[str, ...]
) -> None:
    with running_stack(tmp_path, arrangement=arrangement) as stack:
        run_shop(stack, first=0, count=ORDERS)
        wait_until_settled(stack)
        first = {sample.value for sample in stack.prometheus.samples(f"min_over_time({CALLS}[1h])")}
        assert first == {0.0}


def test_a_number_is_said_again_each_interval_though_nothing_comes(tmp_path: Path) -> None:
    with running_stack(tmp_path) as stack:
        run_shop(stack, first=0, count=ORDERS)
        wait_until_settled(stack)
        samples = f"min(count_over_time({CALLS}{{{ATTEMPTS}}}[1h]))"
        before = stack.prometheus.number(samples)
        assert before > 0
        assert wait_until(lambda: stack.prometheus.number(samples) >= before + 3)
        assert outcomes(stack) == stack.kept().outcomes


def test_a_full_queue_of_metrics_loses_no_count_and_counts_nothing_twice(tmp_path: Path) -> None:
    with running_stack(tmp_path, overlays=(SMALL_QUEUE,)) as stack:
        stack.prometheus.kill()
        sent = 0

        def the_totals_wait() -> bool:
            nonlocal sent
            sent += 1
            assert post_spans(stack.collector.http_endpoint, 1, instance="one").status == 200
            return queued(stack, "totals") >= MORE_THAN_A_FLUSH

        assert wait_until(the_totals_wait)
        stack.prometheus.start()
        assert wait_until(lambda: count_spans(stack) >= sent and queued(stack, "prometheus") == 0)
        assert count_spans(stack) == sent


def test_spans_that_a_full_queue_refuses_count_again_when_they_are_sent_again(tmp_path: Path) -> None:
    with running_stack(tmp_path, overlays=(SMALL_QUEUE,)) as stack:
        for _ in range(2):
            assert post_spans(stack.collector.http_endpoint, TOO_MANY, instance="one").status == 503
        assert wait_until(lambda: count_spans(stack) == 2 * TOO_MANY)


def test_a_killed_collector_takes_from_the_metrics_of_spans_what_it_had_not_flushed_and_nothing_else(
    tmp_path: Path,
) -> None:
    with running_stack(tmp_path, arrangement=BASE_ALONE) as stack:
        run_shop(stack, first=0, count=ORDERS)
        wait_until_settled(stack)
        flushed = len(stack.kept().attempts)
        run_shop(stack, first=ORDERS, count=ORDERS)
        stack.collector.kill()
        at_risk = len(stack.kept().attempts) - flushed
        stack.collector.start()
        run_shop(stack, first=2 * ORDERS, count=ORDERS)
        after = len(stack.kept().attempts) - flushed - at_risk
        assert wait_until(lambda: after in spans_by_collector(stack).values())
        assert flushed + after <= count_spans(stack) <= flushed + at_risk + after


@in_both_ways
def test_base_alone_does_not_count_in_the_next_life_what_came_since_the_last_flush(
    tmp_path: Path, end: Callable[[Collector], None]
) -> None:
    with running_stack(tmp_path, arrangement=BASE_ALONE, settings=NEVER) as stack:
        run_shop(stack, first=0, count=ORDERS)
        lost = len(stack.kept().attempts)
        end(stack.collector)
        stack.collector.environment = {**stack.collector.environment, "OTELCOL_SPAN_METRICS_INTERVAL": FLUSH}
        stack.collector.start()
        run_shop(stack, first=ORDERS, count=ORDERS)
        kept = stack.kept()
        assert wait_until(lambda: count_lines(stack) == sum(kept.lines.values()))
        assert wait_until(lambda: count_spans(stack) >= len(kept.attempts) - lost)
        assert count_spans(stack) == len(kept.attempts) - lost
