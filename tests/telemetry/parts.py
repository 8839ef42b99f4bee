"""Real providers with exporters in memory, and an attempt as the engine runs it."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler

from otel_taskflow.events import AttemptEnded, AttemptStarted
from otel_taskflow.model import AttemptOutcome, ErrorInfo, SpanIdentity, TaskRow, TaskStatus
from otel_taskflow.ports import AttemptSpan, Telemetry

T0 = 1_700_000_000_000_000_000
SECOND = 1_000_000_000
NO_SPAN = SpanIdentity("", "")

Line = tuple[int, str, str, Mapping[str, Any]]


class Recorder:
    """Providers of one app, and what came out of them."""

    def __init__(self, sampler: Sampler = ALWAYS_ON) -> None:
        self._spans = InMemorySpanExporter()
        self.tracer_provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self._spans))
        self._logs = InMemoryLogRecordExporter()
        self.logger_provider = LoggerProvider(shutdown_on_exit=False)
        self.logger_provider.add_log_record_processor(SimpleLogRecordProcessor(self._logs))
        self._metrics = InMemoryMetricReader()
        self.meter_provider = MeterProvider([self._metrics], shutdown_on_exit=False)
        self.tracer = self.tracer_provider.get_tracer("app")

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        return self._spans.get_finished_spans()

    def span(self, name: str) -> ReadableSpan:
        (found,) = [span for span in self.spans if span.name == name]
        return found

    @property
    def records(self) -> Sequence[Any]:
        return [each.log_record for each in self._logs.get_finished_logs()]

    def points(self, name: str) -> list[Any]:
        data = self._metrics.get_metrics_data()
        if data is None:
            return []
        return [
            point
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]

    def metric_names(self) -> set[str]:
        data = self._metrics.get_metrics_data()
        return {
            metric.name
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


class Lines:
    """An attempt's kept log lines."""

    def __init__(self, lines: Sequence[Line] = (), count: int | None = None) -> None:
        self.count = len(lines) if count is None else count
        self._lines = lines

    def kept(self) -> Sequence[Line]:
        return self._lines


def enqueued(telemetry: Telemetry, task_id: str = "task-1", name: str = "send_email", **row: Any) -> TaskRow:
    """``add_task``, as the engine does it."""
    tags = row.pop("tags", {})
    span = telemetry.enqueue(task_id, name, f"shop.{name}", tags)
    return TaskRow(task_id, name, TaskStatus.PENDING, T0, tags=tags, span=span.identity, carrier=span.carrier, **row)


def started(
    telemetry: Telemetry, task: TaskRow, attempt: int = 0, previous: SpanIdentity | None = None, time: int = T0 + SECOND
) -> AttemptSpan:
    telemetry.attempt_started(task.name)
    event = AttemptStarted(task.task_id, time, attempt, NO_SPAN, "host:7", SECOND // 4, previous, f"shop.{task.name}")
    return telemetry.start_attempt(task, event)


def end_of(
    task: TaskRow,
    attempt: int = 0,
    outcome: AttemptOutcome = AttemptOutcome.SUCCEEDED,
    error: ErrorInfo | None = None,
    log_count: int = 0,
    reason: str | None = None,
) -> AttemptEnded:
    status = {
        AttemptOutcome.SUCCEEDED: TaskStatus.SUCCESS,
        AttemptOutcome.RETRYING: TaskStatus.RUNNING,
        AttemptOutcome.CANCELLED: TaskStatus.CANCELLED,
        AttemptOutcome.INTERRUPTED: TaskStatus.INTERRUPTED,
    }.get(outcome, TaskStatus.FAILED)
    waiting_until = T0 + 5 * SECOND if outcome is AttemptOutcome.RETRYING else None
    return AttemptEnded(
        task.task_id, T0 + 3 * SECOND, attempt, 2 * SECOND, outcome, status, error, waiting_until, reason, log_count
    )


def finish(
    telemetry: Telemetry, task: TaskRow, span: AttemptSpan, ended: AttemptEnded, lines: Lines | None = None
) -> None:
    span.end(ended, lines or Lines(), None)
    telemetry.attempt_ended(task.name, ended, span, SECOND // 4)


def run(
    telemetry: Telemetry,
    task: TaskRow,
    attempt: int = 0,
    previous: SpanIdentity | None = None,
    body: Callable[[], Any] = lambda: None,
    lines: Lines | None = None,
    **ending: Any,
) -> SpanIdentity:
    """One attempt from start to end, its body in a copy of the caller's contextvars, as in the engine."""
    span = started(telemetry, task, attempt, previous)

    def inside() -> None:
        span.activate()
        body()

    contextvars.copy_context().run(inside)
    kept = lines or Lines()
    finish(telemetry, task, span, end_of(task, attempt, log_count=kept.count, **ending), kept)
    return span.identity


def ids(span: ReadableSpan) -> tuple[str, str]:
    context = span.get_span_context()
    return f"{context.trace_id:032x}", f"{context.span_id:016x}"


FAILURE = ErrorInfo("smtplib.SMTPError", "mailbox is full", "Traceback ...\nsmtplib.SMTPError: mailbox is full")
