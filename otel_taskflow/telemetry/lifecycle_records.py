"""What the logs signal says: each line, and of an attempt's start and end named events. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from otel_taskflow.events import AttemptEnded, AttemptStarted, TaskLogged
from otel_taskflow.model import AttemptOutcome
from otel_taskflow.telemetry import semconv
from otel_taskflow.telemetry.describe import error_type, exception_attributes
from otel_taskflow.telemetry.guard import clean
from otel_taskflow.values.levels import severity, severity_text


class Record(NamedTuple):
    """A log record to emit. ``time`` in Unix nanoseconds, ``severity`` as in the OpenTelemetry data model."""

    time: int
    severity: int
    severity_text: str
    body: str
    attributes: Mapping[str, Any]
    event_name: str | None = None


def record_of_line(event: TaskLogged) -> Record:
    """A ``task_log`` line, without its extras."""
    attributes: dict[str, Any] = {
        semconv.TASK_ID: event.task_id,
        semconv.LOG_RECORD_UID: f"{event.task_id}-{event.attempt}-{event.seq}",
    }
    if event.logger is not None:
        attributes[semconv.LOG_LOGGER] = clean(event.logger)
    if event.late:
        attributes[semconv.LOG_LATE] = True
    level = event.level
    return Record(event.time, severity(level), severity_text(level), event.message, attributes)


def records_of_start(started: AttemptStarted) -> tuple[Record, ...]:
    """An attempt began."""
    attributes = _own(started.task_id, started.attempt, "started")
    attributes[semconv.QUEUE_WAIT] = started.queue_wait / 1e9
    attributes[semconv.WORKER_ID] = clean(started.worker)
    body = f"attempt {started.attempt + 1} started"
    return (Record(started.time, 5, "DEBUG", body, attributes, semconv.EVENT_ATTEMPT_STARTED),)


def records_of_end(ended: AttemptEnded) -> tuple[Record, ...]:
    """An attempt ended: the exception if it failed, the retry if there is one, the interruption if it was cut off."""
    records = []
    if ended.error is not None:
        records.append(_exception(ended))
    if ended.waiting_until is not None:
        records.append(_retry(ended))
    if ended.outcome is AttemptOutcome.INTERRUPTED:
        records.append(_interrupted(ended))
    return tuple(records)


def _exception(ended: AttemptEnded) -> Record:
    assert ended.error is not None
    attributes = {**_own(ended.task_id, ended.attempt, "exception"), **exception_attributes(ended.error)}
    attributes[semconv.ERROR_TYPE] = error_type(ended) or clean(ended.error.type)
    attributes[semconv.ATTEMPT_OUTCOME] = ended.outcome.value
    attributes[semconv.ATTEMPT_DURATION] = ended.duration / 1e9
    number, text = (13, "WARN") if ended.waiting_until is not None else (17, "ERROR")
    body = f"attempt {ended.attempt + 1} failed: {ended.error.type}: {ended.error.message}"
    return Record(ended.time, number, text, body, attributes, semconv.EVENT_PROCESS_EXCEPTION)


def _retry(ended: AttemptEnded) -> Record:
    wait = ended.seconds_to_retry
    attributes = {**_own(ended.task_id, ended.attempt, "retry"), semconv.RETRY_WAIT: wait}
    body = f"attempt {ended.attempt + 2} follows in {wait:.3g} s"
    return Record(ended.time, 13, "WARN", body, attributes, semconv.EVENT_RETRY_SCHEDULED)


def _interrupted(ended: AttemptEnded) -> Record:
    reason = clean(ended.reason or "unknown")
    attributes = {**_own(ended.task_id, ended.attempt, "interrupted"), semconv.END_REASON: reason}
    body = f"attempt {ended.attempt + 1} was interrupted: {reason}"
    return Record(ended.time, 17, "ERROR", body, attributes, semconv.EVENT_ATTEMPT_INTERRUPTED)


def _own(task_id: str, attempt: int, what: str) -> dict[str, Any]:
    return {semconv.TASK_ID: task_id, semconv.LOG_RECORD_UID: f"{task_id}-{attempt}-{what}"}
