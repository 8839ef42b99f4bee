"""Events: what observers are given, and what the journal carries.

``LogEvent`` and ``LifecycleEvent`` are the public events of observers. The ``NamedTuple`` events below are the journal's:
every fact about a task is one of them, appended before anything else happens with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from otel_taskflow.model import AttemptOutcome, ErrorInfo, SpanIdentity, TaskStatus


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One ``task_log()`` call, as observers see it. ``attempt`` counts from 0; ``message`` is the bare text."""

    task_id: str
    func_name: str
    message: str
    level: str
    timestamp: datetime
    attempt: int
    tags: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    trace_id: str | None = None
    span_id: str | None = None
    seq: int = 0
    logger: str | None = None


@dataclass(frozen=True, slots=True)
class LifecycleEvent:
    """A change of a task's state, as observers see it. ``duration`` is seconds of the last attempt."""

    task_id: str
    func_name: str
    status: TaskStatus
    timestamp: datetime
    attempt: int
    retries_used: int
    duration: float | None = None
    error: str | None = None
    stacktrace: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    trace_id: str | None = None
    span_id: str | None = None


class TaskEnqueued(NamedTuple):
    """add_task was called. The first event of a task."""

    task_id: str
    time: int
    name: str
    args: str | None
    tags: Mapping[str, str]
    idempotency_key: str | None
    source: str
    held: bool
    span: SpanIdentity | None
    carrier: Mapping[str, str]
    max_attempts: int
    executor: str
    retry_of: str | None = None
    requeue_on_interrupt: bool = False
    expires_at: int | None = None
    code_name: str = ""
    """``module.qualname`` of its function, the ``code.function.name`` attribute."""


class TaskReleased(NamedTuple):
    """The response of the request that held the task is about to leave; from now on the task will run."""

    task_id: str
    time: int


class AttemptStarted(NamedTuple):
    """Written before user code runs, with the ids of the attempt's span."""

    task_id: str
    time: int
    attempt: int
    span: SpanIdentity
    worker: str
    queue_wait: int
    previous: SpanIdentity | None = None
    """The span of the attempt before, which this one's is linked to."""
    code_name: str = ""
    """As in ``TaskEnqueued``; the process that runs a task may have it from another one."""


class TaskLogged(NamedTuple):
    """One task_log() line."""

    task_id: str
    time: int
    attempt: int
    seq: int
    level: str
    message: str
    extra: Mapping[str, Any]
    logger: str | None = None
    late: bool = False


class AttemptEnded(NamedTuple):
    """An attempt ended; ``status`` is what the task is now (running while it waits for a retry)."""

    task_id: str
    time: int
    attempt: int
    duration: int
    outcome: AttemptOutcome
    status: TaskStatus
    error: ErrorInfo | None
    waiting_until: int | None
    reason: str | None
    log_count: int
    span: Mapping[str, Any] | None = None
    """What user code did with the attempt's span, if the journal is where the span is exported from."""
    retry_wait: int | None = None
    """Nanoseconds until the next attempt, as decided. The two times differ by more if the clock was put forward meanwhile."""

    @property
    def seconds_to_retry(self) -> float:
        """The wait before the next attempt; 0.0 if there is none. A release before ours has told only the times."""
        if self.waiting_until is None:
            return 0.0
        wait = self.waiting_until - self.time if self.retry_wait is None else self.retry_wait
        return max(0, wait) / 1e9


class TaskCancelRequested(NamedTuple):
    """Somebody has cancelled a task whose attempt runs on for a while: whatever becomes of that, the task does not run again."""

    task_id: str
    time: int


class TaskSettled(NamedTuple):
    """A task that has no running attempt reached a final state: cancelled while pending or waiting, request_lost,
    expired, ..."""

    task_id: str
    time: int
    status: TaskStatus
    reason: str | None


class TaskRetried(NamedTuple):
    """A finished task was run again as a new task."""

    task_id: str
    time: int
    retried_as: str


class TaskAdopted(NamedTuple):
    """A surviving process took the task over from a dead one; the writer of this event is the owner now."""

    task_id: str
    time: int
    previous_owner: str


class LinesCounted(NamedTuple):
    """Stands for lines that are read another time. No journal has it: it is made when that of a dead process is read."""

    task_id: str
    attempt: int
    lines: int


Event = (
    TaskEnqueued
    | TaskReleased
    | AttemptStarted
    | TaskLogged
    | AttemptEnded
    | TaskCancelRequested
    | TaskSettled
    | TaskRetried
    | TaskAdopted
    | LinesCounted
)
