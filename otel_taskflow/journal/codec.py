"""Events as bytes: one JSON array per event, its kind first. One encoder and one decoder, for live and dead journals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic_core import from_json, to_json

from otel_taskflow.errors import JournalError
from otel_taskflow.events import (
    AttemptEnded,
    AttemptStarted,
    Event,
    TaskAdopted,
    TaskCancelRequested,
    TaskEnqueued,
    TaskLogged,
    TaskReleased,
    TaskRetried,
    TaskSettled,
)
from otel_taskflow.model import AttemptOutcome, ErrorInfo, SpanIdentity, TaskStatus

_KIND_OF: dict[type[Any], str] = {
    TaskEnqueued: "E",
    TaskReleased: "R",
    AttemptStarted: "S",
    TaskLogged: "L",
    AttemptEnded: "F",
    TaskCancelRequested: "C",
    TaskSettled: "X",
    TaskRetried: "Y",
    TaskAdopted: "A",
}


def encode(event: Event) -> bytes:
    """The event as bytes. Its values must have gone through the sanitiser."""
    return to_json((_KIND_OF[type(event)], *event), inf_nan_mode="constants")


def log_prefix(task_id: str, attempt: int) -> bytes:
    """The part of a plain log event's bytes that is the same for the whole attempt (hence attempt before time)."""
    return to_json(("l", task_id))[:-1] + b",%d," % attempt


def encode_log(prefix: bytes, time: int, seq: int, level: str, message: str, extra: Mapping[str, Any]) -> bytes:
    """A ``TaskLogged`` as bytes. Raises for values that are not plain JSON and for lone surrogates."""
    return b"%b%d,%d,%b" % (prefix, time, seq, to_json((level, message, extra), inf_nan_mode="constants")[1:])


def is_line(payload: bytes) -> bool:
    """True for the record of a log line, without decoding it."""
    return payload.startswith((b'["l",', b'["L",'))


def line_prefix(payload: bytes) -> bytes | None:
    """The ``log_prefix`` of a plain log line, without decoding it; None for every other record."""
    if not payload.startswith(b'["l","'):
        return None
    end = payload.find(b",", payload.find(b'",', 6) + 2)
    return payload[: end + 1] if end > 0 else None


def decode_prefix(prefix: bytes) -> tuple[str, int] | None:
    """Task and attempt of a ``log_prefix``; None for one that is none, whose line cannot be read either."""
    try:
        _, task_id, attempt = from_json(prefix[:-1] + b"]")
    except ValueError:
        return None
    return (task_id, attempt) if isinstance(attempt, int) else None


def decode(payload: bytes) -> Event:
    """The event in ``payload``; what a later release has added at its end is left out. Raises JournalError."""
    try:
        fields = from_json(payload)
        make, end = _DECODERS[fields[0]]
        return make(fields[1:end])
    except (ValueError, TypeError, LookupError) as error:
        raise JournalError(f"a journal record of {len(payload)} bytes cannot be read: {error}") from error


def _logged_plain(fields: list[Any]) -> TaskLogged:
    task_id, attempt, time, seq, level, message, extra = fields
    return TaskLogged(task_id, time, attempt, seq, level, message, extra)


def _enqueued(fields: list[Any]) -> TaskEnqueued:
    fields[8] = _span(fields[8])
    return TaskEnqueued(*fields)


def _started(fields: list[Any]) -> AttemptStarted:
    fields[3] = SpanIdentity(*fields[3])
    if len(fields) > 6:
        fields[6] = _span(fields[6])
    return AttemptStarted(*fields)


def _ended(fields: list[Any]) -> AttemptEnded:
    fields[4] = _OUTCOMES[fields[4]]
    fields[5] = _STATUSES[fields[5]]
    fields[6] = None if fields[6] is None else ErrorInfo(*fields[6])
    return AttemptEnded(*fields)


def _settled(fields: list[Any]) -> TaskSettled:
    fields[2] = _STATUSES[fields[2]]
    return TaskSettled(*fields)


def _span(fields: list[Any] | None) -> SpanIdentity | None:
    return None if fields is None else SpanIdentity(*fields)


def _with_end(make: Callable[[list[Any]], Event], fields: int) -> tuple[Callable[[list[Any]], Event], int]:
    """A decoder, and where what this release knows ends in the array, whose first entry is the kind."""
    return make, fields + 1


_STATUSES = {status.value: status for status in TaskStatus}
_OUTCOMES = {outcome.value: outcome for outcome in AttemptOutcome}
_DECODERS: dict[str, tuple[Callable[[list[Any]], Event], int]] = {
    "E": _with_end(_enqueued, len(TaskEnqueued._fields)),
    "R": _with_end(lambda fields: TaskReleased(*fields), len(TaskReleased._fields)),
    "S": _with_end(_started, len(AttemptStarted._fields)),
    "L": _with_end(lambda fields: TaskLogged(*fields), len(TaskLogged._fields)),
    "l": _with_end(_logged_plain, len(TaskLogged._fields) - 2),
    "F": _with_end(_ended, len(AttemptEnded._fields)),
    "C": _with_end(lambda fields: TaskCancelRequested(*fields), len(TaskCancelRequested._fields)),
    "X": _with_end(_settled, len(TaskSettled._fields)),
    "Y": _with_end(lambda fields: TaskRetried(*fields), len(TaskRetried._fields)),
    "A": _with_end(lambda fields: TaskAdopted(*fields), len(TaskAdopted._fields)),
}
