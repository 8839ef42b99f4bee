"""Loki and Prometheus hold what the store holds: as many attempts, failures and lines, after kill -9 and takeover too."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.backends.shop import UNEXPORTED_ORDERS
from tests.backends.shop_tasks import attempts_of, tasks_of
from tests.backends.stack import (
    ATTEMPTS,
    CALLS,
    DURATIONS,
    LINES,
    ORDERS,
    Stack,
    count_durations,
    count_lines,
    count_spans,
)

pytestmark = [pytest.mark.backends, pytest.mark.timeout(300)]
EVENTS = '{service_name="shop"} | log_record_uid=~'
LAST_HOUR = "[1h]"
PROCESSED = "messaging_process_duration_seconds_count"


def test_the_run_had_a_thousand_tasks_with_retries_failures_and_an_interruption(filled_stack: Stack) -> None:
    kept = filled_stack.kept()
    assert len(kept.tasks) == tasks_of(ORDERS) + 1 == 1001
    assert len(kept.attempts) == attempts_of(ORDERS) + 2
    assert set(kept.tasks.values()) == {"success", "failed"}
    assert kept.outcomes["monthly_report", "interrupted"] == 1
    assert kept.outcomes["fulfill_order", "retrying"] > 100
    assert kept.outcomes["fulfill_order", "failed"] > 10


def test_loki_has_as_many_lines_of_each_level_as_the_store(filled_stack: Stack) -> None:
    found = filled_stack.loki.numbers(f"sum by (severity_text) (count_over_time({LINES} {LAST_HOUR}))")
    assert {labels[0][1]: int(count) for labels, count in found.items()} == filled_stack.kept().lines


def test_loki_has_one_start_of_each_attempt_and_an_exception_of_each_failed_one(filled_stack: Stack) -> None:
    kept = filled_stack.kept()
    starts, exceptions = (
        filled_stack.loki.number(f'sum(count_over_time({EVENTS}".+-{event}" {LAST_HOUR}))')
        for event in ("started", "exception")
    )
    assert (starts, exceptions) == (len(kept.attempts), kept.failures)


def test_loki_knows_as_many_tasks_of_each_name_as_the_store(filled_stack: Stack) -> None:
    first = f'{EVENTS}".+-started" | otel_taskflow_attempt_number="1"'
    found = filled_stack.loki.numbers(f"sum by (otel_taskflow_task_name) (count_over_time({first} {LAST_HOUR}))")
    attempts = filled_stack.kept().attempts
    expected = Counter(attempt.task for attempt in attempts if attempt.attempt == 0)
    assert {labels[0][1]: int(count) for labels, count in found.items()} == expected


def test_the_metrics_of_spans_count_each_outcome_of_each_task_as_the_store_does(filled_stack: Stack) -> None:
    by = "messaging_destination_name, otel_taskflow_attempt_outcome"
    query = f"sum by ({by}) (max_over_time({CALLS}{{{ATTEMPTS}}}{LAST_HOUR}))"
    found = {
        (sample.labels["messaging_destination_name"], sample.labels["otel_taskflow_attempt_outcome"]): sample.value
        for sample in filled_stack.prometheus.samples(query)
    }
    assert found == filled_stack.kept().outcomes


def test_the_metrics_of_spans_count_each_type_of_error_as_the_store_does(filled_stack: Stack) -> None:
    query = f'sum by (error_type) (max_over_time({CALLS}{{{ATTEMPTS}, error_type!=""}}{LAST_HOUR}))'
    found = {sample.labels["error_type"]: sample.value for sample in filled_stack.prometheus.samples(query)}
    errors = Counter(attempt.error_type for attempt in filled_stack.kept().attempts if attempt.error_type)
    interrupted = filled_stack.kept().outcomes["monthly_report", "interrupted"]
    assert found == {**errors, "interrupted": interrupted}


def test_the_histogram_of_spans_has_the_same_count_as_their_calls(filled_stack: Stack) -> None:
    assert count_durations(filled_stack) == count_spans(filled_stack) == len(filled_stack.kept().attempts)


def test_counts_have_the_labels_of_durations(filled_stack: Stack) -> None:
    """But for the id of the collector's life, which each takes from elsewhere."""

    def kinds(name: str) -> set[frozenset[tuple[str, str]]]:
        own = {"__name__", "collector_instance_id"}
        found = filled_stack.prometheus.series(name)
        return {frozenset(each.items() - {(key, each[key]) for key in own}) for each in found}

    assert kinds(CALLS) == kinds(DURATIONS)


def test_each_task_was_sent_once(filled_stack: Stack) -> None:
    query = f'sum(max_over_time({CALLS}{{span_kind="SPAN_KIND_PRODUCER"}}{LAST_HOUR}))'
    assert filled_stack.prometheus.number(query) == len(filled_stack.kept().tasks)


def test_the_metrics_of_the_sdk_lack_what_the_killed_process_had_not_exported_and_nothing_else(
    filled_stack: Stack,
) -> None:
    kept = filled_stack.kept()
    killed = next(attempt.worker for attempt in kept.attempts if attempt.outcome == "interrupted")
    unexported = [
        attempt for attempt in kept.attempts if attempt.worker == killed and attempt.ended_at > filled_stack.exported_at
    ]
    assert len(unexported) > 2 * UNEXPORTED_ORDERS
    found = filled_stack.prometheus.number(f"sum(max_over_time({PROCESSED}{LAST_HOUR}))")
    assert found == len(kept.attempts) - len(unexported)


def test_lines_found_by_order_have_the_ids_of_their_attempt(filled_stack: Stack) -> None:
    lines = filled_stack.loki.lines(f'{LINES} | order_id="A30"')
    spans = {
        (attempt.task_id, str(attempt.attempt + 1)): (attempt.trace_id, attempt.span_id)
        for attempt in filled_stack.kept().attempts
    }
    assert [line.text for line in lines if line.metadata["otel_taskflow_task_name"] == "fulfill_order"] == [
        "Order received",
        "Payment gateway returned 500",
    ] * 3
    for line in lines:
        attempt = line.metadata["otel_taskflow_task_id"], line.metadata["otel_taskflow_attempt_number"]
        assert (line.metadata["trace_id"], line.metadata["span_id"]) == spans[attempt]


def test_an_exemplar_of_a_metric_is_the_trace_of_an_attempt(filled_stack: Stack) -> None:
    exemplars = filled_stack.prometheus.exemplars(f"traces_span_metrics_duration_seconds_bucket{{{ATTEMPTS}}}")
    traces = {attempt.trace_id for attempt in filled_stack.kept().attempts}
    assert exemplars
    assert {exemplar["labels"]["trace_id"] for exemplar in exemplars} <= traces


def test_the_service_graph_shows_the_way_through_the_queue(filled_stack: Stack) -> None:
    query = 'sum(max_over_time(traces_service_graph_request_total{connection_type="messaging_system"}[1h]))'
    assert filled_stack.prometheus.number(query) > 0


def test_a_backend_that_is_down_holds_up_neither_the_others_nor_the_app(filled_stack: Stack) -> None:
    assert "otlp_http/tempo" in filled_stack.collector.log.read_text()
    assert count_lines(filled_stack) == sum(filled_stack.kept().lines.values())
