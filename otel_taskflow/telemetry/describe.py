"""What spans, events and log records say of a task. Pure functions from our values to attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otel_taskflow.events import AttemptEnded, AttemptStarted
from otel_taskflow.model import AttemptOutcome, ErrorInfo, TaskRow
from otel_taskflow.telemetry import semconv
from otel_taskflow.telemetry.guard import clean
from otel_taskflow.values.attributes import flatten

Attributes = dict[str, Any]

MAX_ATTRIBUTES = 96
MAX_BYTES = 48 * 1024
MAX_EVENT_MESSAGE = 16 * 1024
"""Characters of a message in a span event; the log record carries it whole."""

_failed = frozenset(
    {AttemptOutcome.FAILED, AttemptOutcome.RETRYING, AttemptOutcome.TIMED_OUT, AttemptOutcome.INTERRUPTED}
)


def enqueue_attributes(task_id: str, name: str, code_name: str, tags: Mapping[str, str]) -> Attributes:
    """Attributes of the PRODUCER span."""
    return _message(semconv.SEND, task_id, name, code_name, tags)


def attempt_attributes(task: TaskRow, started: AttemptStarted) -> Attributes:
    """Attributes of the CONSUMER span that are known at its start, so that samplers see them."""
    attributes = _message(semconv.PROCESS, task.task_id, task.name, started.code_name, task.tags)
    attributes[semconv.ATTEMPT_NUMBER] = started.attempt + 1
    attributes[semconv.ATTEMPT_MAX] = task.max_attempts
    attributes[semconv.QUEUE_WAIT] = started.queue_wait / 1e9
    attributes[semconv.WORKER_ID] = clean(started.worker)
    return attributes


def _message(operation: str, task_id: str, name: str, code_name: str, tags: Mapping[str, str]) -> Attributes:
    name = clean(name)
    attributes: Attributes = {
        semconv.MESSAGING_SYSTEM: semconv.SCOPE,
        semconv.MESSAGING_OPERATION_NAME: operation,
        semconv.MESSAGING_OPERATION_TYPE: operation,
        semconv.MESSAGING_DESTINATION_NAME: name,
        semconv.MESSAGING_MESSAGE_ID: task_id,
        semconv.TASK_ID: task_id,
        semconv.TASK_NAME: name,
    }
    if code_name:
        attributes[semconv.CODE_FUNCTION_NAME] = clean(code_name)
    for key, value in tags.items():
        attributes[semconv.TAG_PREFIX + clean(key)] = clean(value)
    return attributes


def end_attributes(ended: AttemptEnded, omitted: int) -> Attributes:
    """Attributes that are known when the attempt has ended; ``omitted``: log lines that are no span events."""
    attributes: Attributes = {
        semconv.ATTEMPT_OUTCOME: ended.outcome.value,
        semconv.LOG_COUNT: ended.log_count,
        semconv.LOG_OMITTED: omitted,
    }
    if ended.reason is not None:
        attributes[semconv.END_REASON] = clean(ended.reason)
    kind = error_type(ended)
    if kind is not None:
        attributes[semconv.ERROR_TYPE] = kind
    return attributes


def error_type(ended: AttemptEnded) -> str | None:
    """``error.type`` of a failed attempt: the exception's type, else the outcome. None for one that did not fail."""
    if ended.outcome is AttemptOutcome.SUCCEEDED or ended.outcome not in _failed:
        return None
    return clean(ended.error.type) if ended.error is not None else ended.outcome.value


def error_description(ended: AttemptEnded) -> str | None:
    """The status description of a failed attempt."""
    if ended.error is not None:
        return clean(ended.error.message)
    return clean(ended.reason) if ended.reason is not None else None


def exception_attributes(error: ErrorInfo) -> Attributes:
    """The ``exception.*`` attributes, from the sanitised and redacted texts, never from the exception itself."""
    attributes: Attributes = {
        semconv.EXCEPTION_TYPE: clean(error.type),
        semconv.EXCEPTION_MESSAGE: clean(error.message),
    }
    if error.stacktrace:
        attributes[semconv.EXCEPTION_STACKTRACE] = clean(error.stacktrace)
    return attributes


def log_event_attributes(level: str, message: str, extra: Mapping[str, Any]) -> Attributes:
    """Attributes of a ``task.log`` span event: message, level, and the extras under their own keys."""
    own: Attributes = {"message": clean(message[:MAX_EVENT_MESSAGE]), "level": clean(level)}
    return with_extra(own, extra) if extra else own


def with_extra(own: Attributes, extra: Mapping[str, Any]) -> Attributes:
    """Our attributes and the user's; an extra whose key is ours becomes ``extra.<key>``. What is cut is counted."""
    if not extra:
        return own
    taken = 0
    for key, value in own.items():
        taken += len(key) + (len(value) if type(value) is str else 8)
    flat, omitted = flatten(extra, max_attributes=MAX_ATTRIBUTES - len(own) - 1, max_bytes=max(0, MAX_BYTES - taken))
    if own.keys().isdisjoint(flat):
        attributes = {**own, **flat}
    else:
        attributes = {**own, **{(f"extra.{key}" if key in own else key): value for key, value in flat.items()}}
    if omitted:
        attributes[semconv.EXTRA_OMITTED] = omitted
    return attributes
