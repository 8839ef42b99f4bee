"""What a real collector wrote is what the store holds: every attempt, every line, ids, times, attributes, statuses."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from otel_taskflow.model import AttemptRow, LogRow, TaskFilter, TaskRow
from otel_taskflow.stores.opening import open_store
from otel_taskflow.values.levels import severity, severity_text
from tests.collector import otlp_file
from tests.collector.otlp_file import LogRecord, Span
from tests.collector.process import EXACT_COUNTS, Collector, running_collector
from tests.collector.shop_run import ORDERS, REPORT_LINES
from tests.conftest import ROOT

pytestmark = pytest.mark.collector

RETRY_DELAYS_ALLOW = 90
MOMENT = 1_000_000_000
"""Nanoseconds in which add_task is done on a busy machine."""
FUNCTIONS = {
    "fulfill_order": "_add_orders",
    "send_email": "_add_orders",
    "monthly_report": "_add_reports",
    "sync_stock": "_add_stock",
}
"""Where the shop defines its tasks."""


class Kept(NamedTuple):
    """Everything in the store."""

    tasks: list[TaskRow]
    attempts: list[AttemptRow]
    logs: list[LogRow]


class Run(NamedTuple):
    """One run of the shop, seen from both sides."""

    kept: Kept
    spans: list[Span]
    records: list[LogRecord]


@pytest.fixture(
    scope="module",
    params=[("sdk", ()), ("outbox", ()), ("outbox", (EXACT_COUNTS,))],
    ids=["sdk", "outbox", "outbox-exact"],
)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Tasks exported by the SDK's pipeline, and from the journal."""
    folder = tmp_path_factory.mktemp("shop")
    way, before = request.param
    with running_collector(folder, *before, "file") as collector:
        yield _run_shop(folder, collector, way)


def _run_shop(folder: Path, collector: Collector, way: str) -> Run:
    command = [sys.executable, "-m", "tests.collector.shop_run", str(folder / "state"), collector.http_endpoint, way]
    subprocess.run(command, cwd=ROOT, check=True, timeout=RETRY_DELAYS_ALLOW)
    collector.stop()
    kept = asyncio.run(_read_store(folder / "state"))
    return Run(kept, otlp_file.spans(collector.output), otlp_file.log_records(collector.output))


async def _read_store(folder: Path) -> Kept:
    store = open_store(None, folder)
    reader = store.reader()
    try:
        page = await reader.list_tasks(TaskFilter(), 200)
        details = [await reader.get_task(task.task_id) for task in page.tasks]
        logs = [row for task in page.tasks for row in await reader.get_logs(task.task_id, limit=5000)]
        return Kept(list(page.tasks), [a for detail in details if detail for a in detail.attempts], logs)
    finally:
        await reader.aclose()


def attempt_spans(run: Run) -> dict[str, Span]:
    return {span.span_id: span for span in run.spans if span.kind == "CONSUMER"}


def lines(run: Run) -> dict[str, LogRecord]:
    """Records of lines, by their stable id; events of the life cycle have a name."""
    named = [record for record in run.records if record.scope == "otel_taskflow" and not record.event_name]
    return {record.attributes["log.record.uid"]: record for record in named}


def without_ours(attributes: Mapping[str, Any]) -> dict[str, Any]:
    ours = ("otel_taskflow.", "messaging.", "log.record.", "code.")
    return {key: value for key, value in attributes.items() if not key.startswith(ours)}


def extras(row: LogRow) -> dict[str, Any]:
    return {key: value for key, value in row.extra.items() if value is not None}


def test_the_run_had_what_is_worth_comparing(run: Run) -> None:
    assert len(run.kept.tasks) == 2 * ORDERS + 2
    assert any(task.attempts > 1 for task in run.kept.tasks)
    assert any(task.error for task in run.kept.tasks)


def test_every_attempt_is_a_span_with_its_ids_and_times(run: Run) -> None:
    spans = attempt_spans(run)
    assert spans.keys() == {attempt.span.span_id for attempt in run.kept.attempts}
    for attempt in run.kept.attempts:
        span = spans[attempt.span.span_id]
        assert span.trace_id == attempt.span.trace_id
        assert span.parent_span_id == attempt.span.parent_span_id
        assert (span.start_time, span.end_time) == (attempt.started_at, attempt.ended_at)


def test_every_span_says_what_it_processes_where_and_after_which_wait(run: Run) -> None:
    spans = attempt_spans(run)
    tasks = {task.task_id: task for task in run.kept.tasks}
    for attempt in run.kept.attempts:
        span, task = spans[attempt.span.span_id], tasks[attempt.task_id]
        assert message_of(span) == expected_message("process", task)
        assert span.attributes["otel_taskflow.attempt.max"] == task.max_attempts
        assert span.attributes["otel_taskflow.worker.id"] == attempt.worker
        assert round(span.attributes["otel_taskflow.queue.wait"] * 1e9) == attempt.queue_wait


def test_every_span_leads_to_what_caused_it(run: Run) -> None:
    spans = attempt_spans(run)
    tasks = {task.task_id: task for task in run.kept.tasks}
    attempts = {(attempt.task_id, attempt.attempt): attempt.span for attempt in run.kept.attempts}
    retries = 0
    for attempt in run.kept.attempts:
        enqueued = tasks[attempt.task_id].span
        assert enqueued is not None
        expected = {"enqueue": (enqueued.trace_id, enqueued.span_id)}
        if attempt.attempt:
            retries += 1
            previous = attempts[attempt.task_id, attempt.attempt - 1]
            expected["previous_attempt"] = (previous.trace_id, previous.span_id)
        links = spans[attempt.span.span_id].links
        found = {link.attributes["otel_taskflow.link.type"]: (link.trace_id, link.span_id) for link in links}
        assert (found, len(links)) == (expected, len(expected))
    assert retries > 0


def test_every_span_says_how_its_attempt_ended(run: Run) -> None:
    spans = attempt_spans(run)
    tasks = {task.task_id: task for task in run.kept.tasks}
    for attempt in run.kept.attempts:
        span, task = spans[attempt.span.span_id], tasks[attempt.task_id]
        assert attempt.outcome is not None
        assert span.name == f"process {task.name}"
        assert span.attributes["otel_taskflow.task.id"] == task.task_id
        assert span.attributes["otel_taskflow.attempt.number"] == attempt.attempt + 1
        assert span.attributes["otel_taskflow.attempt.outcome"] == attempt.outcome.value
        assert span.attributes["otel_taskflow.log.count"] == attempt.log_count
        assert {key: span.attributes[f"otel_taskflow.tag.{key}"] for key in task.tags} == task.tags
        assert span.status == ("ERROR" if attempt.error else "UNSET")
        if attempt.error:
            assert span.attributes["error.type"] == attempt.error.type
            [exception] = span.events_named("exception")
            assert exception.attributes["exception.message"] == attempt.error.message
            assert exception.attributes["exception.stacktrace"] == attempt.error.stacktrace


def test_every_task_has_a_producer_span_over_its_attempts(run: Run) -> None:
    producers = {span.span_id: span for span in run.spans if span.kind == "PRODUCER"}
    requests = {span.span_id: span for span in run.spans if span.kind == "SERVER"}
    for task in run.kept.tasks:
        assert task.span is not None
        span = producers[task.span.span_id]
        assert span.name == f"send {task.name}"
        assert (span.trace_id, span.parent_span_id) == (task.span.trace_id, task.span.parent_span_id)
        assert message_of(span) == expected_message("send", task)
        assert span.links == ()
        assert task.created_at - MOMENT < span.start_time <= span.end_time < task.created_at + MOMENT
        request = requests[str(span.parent_span_id)]
        assert request.trace_id == span.trace_id
        assert request.start_time <= span.start_time
    assert len(producers) == len(run.kept.tasks)
    assert {attempt.span.parent_span_id for attempt in run.kept.attempts} == producers.keys()


def message_of(span: Span) -> dict[str, Any]:
    """What a messaging span says of its message."""
    return {key: value for key, value in span.attributes.items() if key.startswith(("messaging.", "code."))}


def expected_message(operation: str, task: TaskRow) -> dict[str, Any]:
    return {
        "messaging.system": "otel_taskflow",
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        "messaging.destination.name": task.name,
        "messaging.message.id": task.task_id,
        "code.function.name": f"otel_taskflow.demo.shop.{FUNCTIONS[task.name]}.<locals>.{task.name}",
    }


def test_every_line_is_a_log_record_of_its_attempt(run: Run) -> None:
    records = lines(run)
    spans = {(attempt.task_id, attempt.attempt): attempt.span for attempt in run.kept.attempts}
    assert len(records) == len(run.kept.logs)
    for row in run.kept.logs:
        record = records[f"{row.task_id}-{row.attempt}-{row.seq}"]
        span = spans[row.task_id, row.attempt]
        assert (record.trace_id, record.span_id) == (span.trace_id, span.span_id)
        assert (record.time, record.body, record.event_name) == (row.time, row.message, "")
        assert (record.severity_number, record.severity_text) == (severity(row.level), severity_text(row.level))
        assert record.attributes["otel_taskflow.task.id"] == row.task_id
        assert record.attributes["otel_taskflow.attempt.number"] == row.attempt + 1
        assert without_ours(record.attributes) == extras(row)


def test_every_line_is_an_event_of_its_span_up_to_what_a_span_can_hold(run: Run) -> None:
    spans = attempt_spans(run)
    for attempt in run.kept.attempts:
        rows = [row for row in run.kept.logs if (row.task_id, row.attempt) == (attempt.task_id, attempt.attempt)]
        span = spans[attempt.span.span_id]
        events = span.events_named("task.log")
        room = 128 - len(span.events_named("exception"))
        if len(rows) > room:
            rows = [*rows[: room - room // 2], *rows[-(room // 2) :]]
        assert [event.time for event in events] == [row.time for row in rows]
        assert [dict(event.attributes) for event in events] == [
            {"message": row.message, "level": row.level, **extras(row)} for row in rows
        ]
        assert span.attributes.get("otel_taskflow.log.omitted", 0) == attempt.log_count - len(events)
        assert span.dropped_events == 0


def test_a_report_with_more_lines_than_a_span_can_hold_has_them_all_in_the_logs(run: Run) -> None:
    [report] = [task for task in run.kept.tasks if task.name == "monthly_report"]
    rows = [row for row in run.kept.logs if row.task_id == report.task_id]
    assert len(rows) == REPORT_LINES + 1
    [span] = [span for span in attempt_spans(run).values() if span.name == "process monthly_report"]
    assert span.attributes["otel_taskflow.log.omitted"] == REPORT_LINES + 1 - 128


def test_all_of_it_is_in_the_name_of_the_service(run: Run) -> None:
    assert {span.resource["service.name"] for span in run.spans} == {"shop"}
    assert {record.resource["service.name"] for record in run.records} == {"shop"}
    assert {span.scope for span in run.spans if span.kind in ("CONSUMER", "PRODUCER")} == {"otel_taskflow"}
