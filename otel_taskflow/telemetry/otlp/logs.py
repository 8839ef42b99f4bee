"""The journal's events as log records. The logs signal is the complete one: each line, and what became of each attempt."""

from __future__ import annotations

from typing import Any

from otel_taskflow.events import TaskLogged
from otel_taskflow.model import SpanIdentity
from otel_taskflow.telemetry import semconv
from otel_taskflow.telemetry.describe import with_extra
from otel_taskflow.telemetry.guard import clean
from otel_taskflow.telemetry.lifecycle_records import Record, record_of_line
from otel_taskflow.telemetry.otlp.values import LogData


def log_of_line(line: TaskLogged, task_name: str | None, span: SpanIdentity | None) -> LogData:
    """The record of a ``task_log`` line."""
    return log_of_record(record_of_line(line), line.attempt, task_name, span, line.extra)


def log_of_record(
    record: Record, attempt: int, task_name: str | None, span: SpanIdentity | None, extra: Any = None
) -> LogData:
    """A record with what all records of a task say."""
    own = {**record.attributes, semconv.ATTEMPT_NUMBER: attempt + 1}
    if task_name is not None:
        own[semconv.TASK_NAME] = clean(task_name)
    return LogData(
        time=record.time,
        observed_time=record.time,
        severity=record.severity,
        severity_text=record.severity_text,
        body=clean(record.body),
        attributes=with_extra(own, extra) if extra else own,
        event_name=record.event_name or "",
        identity=span,
    )
