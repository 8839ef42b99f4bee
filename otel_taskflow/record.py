"""``TaskRecord``: a task as people and code outside see it, with the keys of fastapi-taskflow and more."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import InitVar, dataclass, field, fields
from datetime import datetime, timezone
from typing import Any

from otel_taskflow.errors import UnsupportedParameterError
from otel_taskflow.model import FINAL_STATUSES, TaskRow, TaskStatus
from otel_taskflow.values.lines import iso_micros


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """A task. Times are aware datetimes in UTC; ``duration`` is seconds over all attempts and waits.

    ``encrypted_payload`` is a parameter of fastapi-taskflow's: arguments are not encrypted here, so it can only be None.
    """

    task_id: str
    func_name: str
    status: TaskStatus
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    created_at: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    start_time: datetime | None = None
    end_time: datetime | None = None
    retries_used: int = 0
    error: str | None = None
    logs: Sequence[str] = ()
    stacktrace: str | None = None
    idempotency_key: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    encrypted_payload: InitVar[bytes | None] = None
    source: str = "manual"
    priority: int | None = None
    executor: str | None = None
    queue: str = "default"
    attempt: int = 0
    max_attempts: int = 1
    waiting_until: datetime | None = None
    reason: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    retry_of: str | None = None
    retried_as: str | None = None
    log_count: int = 0
    held: bool = False
    expires_at: datetime | None = None
    recoverable: bool = True

    def __post_init__(self, encrypted_payload: bytes | None) -> None:
        """Refuse what this release does not have; the payload itself is not shown."""
        if encrypted_payload is not None:
            raise UnsupportedParameterError(
                "TaskRecord(encrypted_payload=...): arguments are not encrypted by this release; leave encrypted_payload out"
            )

    @property
    def duration(self) -> float | None:
        """Seconds from the first start to the end, None before the end."""
        if self.start_time is None or self.end_time is None:
            return None
        return max(0.0, (self.end_time - self.start_time).total_seconds())

    @classmethod
    def from_row(cls, row: TaskRow, logs: Sequence[str] = ()) -> TaskRecord:
        """The record of a stored row."""
        call = json.loads(row.args) if row.args else {}
        rest = {"args": call.get("args", ()), "kwargs": call.get("kwargs", {}), "idempotency_key": row.idempotency_key}
        return cls.from_dict({**row_to_dict(row), **rest, "logs": logs})

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TaskRecord:
        """The record that ``to_dict`` made this of, or of a task in the HTTP API; keys that it does not know are left out."""
        values = {each.name: data[each.name] for each in fields(cls) if each.name in data}
        for name in _TIMES & values.keys():
            values[name] = _from_iso(values[name])
        return cls(**{**values, "status": TaskStatus(values["status"]), "args": tuple(values.get("args", ()))})

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, without arguments and idempotency key."""
        return {
            "task_id": self.task_id,
            "func_name": self.func_name,
            "status": self.status.value,
            "created_at": to_iso(self.created_at),
            "start_time": to_iso(self.start_time),
            "end_time": to_iso(self.end_time),
            "duration": self.duration,
            "retries_used": self.retries_used,
            "error": self.error,
            "logs": list(self.logs),
            "stacktrace": self.stacktrace,
            "tags": dict(self.tags),
            "source": self.source,
            "priority": self.priority,
            "executor": self.executor,
            "queue": self.queue,
            "attempt": self.attempt,
            "max_attempts": self.max_attempts,
            "waiting_until": to_iso(self.waiting_until),
            "reason": self.reason,
            "trace_id": self.trace_id,
            "span_id": self.span_id,
            "parent_span_id": self.parent_span_id,
            "retry_of": self.retry_of,
            "retried_as": self.retried_as,
            "log_count": self.log_count,
            "held": self.held,
            "expires_at": to_iso(self.expires_at),
            "recoverable": self.recoverable,
        }


def row_to_dict(row: TaskRow) -> dict[str, Any]:
    """A stored row as ``TaskRecord.to_dict`` has it, without lines: what is shown by the hundred needs no record."""
    error, span = row.error, row.span
    start, end = row.started_at, row.ended_at
    retries_used = max(0, row.attempts - 1)
    return {
        "task_id": row.task_id,
        "func_name": row.name,
        "status": row.status.value,
        "created_at": iso_micros(row.created_at),
        "start_time": maybe_iso(start),
        "end_time": maybe_iso(end),
        "duration": None if start is None or end is None else max(0, end // 1000 - start // 1000) / 1e6,
        "retries_used": retries_used,
        "error": error.message if error else None,
        "logs": [],
        "stacktrace": error.stacktrace if error else None,
        "tags": dict(row.tags),
        "source": row.source,
        "priority": None,
        "executor": row.executor,
        "queue": "default",
        "attempt": retries_used,
        "max_attempts": row.max_attempts,
        "waiting_until": maybe_iso(row.waiting_until) if row.status not in FINAL_STATUSES else None,
        "reason": row.reason,
        "trace_id": span.trace_id if span else None,
        "span_id": span.span_id if span else None,
        "parent_span_id": span.parent_span_id if span else None,
        "retry_of": row.retry_of,
        "retried_as": row.retried_as,
        "log_count": row.log_count,
        "held": row.held,
        "expires_at": maybe_iso(row.expires_at),
        "recoverable": row.args is not None,
    }


def maybe_iso(nanoseconds: int | None) -> str | None:
    """Unix nanoseconds as ISO 8601 with microseconds and ``+00:00``."""
    return None if nanoseconds is None else iso_micros(nanoseconds)


_TIMES = frozenset({"created_at", "start_time", "end_time", "waiting_until", "expires_at"})


def _from_iso(value: str | datetime | None) -> datetime | None:
    """A time without a zone is in UTC, as in fastapi-taskflow."""
    time = datetime.fromisoformat(value) if isinstance(value, str) else value
    return time.replace(tzinfo=timezone.utc) if time is not None and time.tzinfo is None else time


def to_datetime(nanoseconds: int) -> datetime:
    """Unix nanoseconds as an aware datetime, cut to microseconds."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return datetime.fromtimestamp(seconds, timezone.utc).replace(microsecond=rest // 1000)


def to_iso(time: datetime | None) -> str | None:
    """ISO 8601 with microseconds and ``+00:00``."""
    return None if time is None else time.isoformat(timespec="microseconds")


__all__ = ["TaskRecord", "maybe_iso", "row_to_dict", "to_datetime", "to_iso"]
