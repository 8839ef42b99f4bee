"""What a journal says about tasks, built by hand; and events as observers are given them."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from otel_taskflow.events import (
    AttemptEnded,
    AttemptStarted,
    Event,
    LifecycleEvent,
    LogEvent,
    TaskEnqueued,
    TaskLogged,
    TaskSettled,
)
from otel_taskflow.model import AttemptOutcome, ErrorInfo, SpanIdentity, TaskStatus
from otel_taskflow.ports import JournalHeader, JournalSlice

TASK = "0123456789abcdef"
TIME = 1_769_860_800_123_456_000
SPAN = SpanIdentity("a" * 32, "b" * 16)
RETRY_SPAN = SpanIdentity("a" * 32, "c" * 16)
HEADER = JournalHeader("journal-1", TIME, 1, "host", "boot", "host:1")


def enqueued(task_id: str = TASK, name: str = "send_email", **tags: str) -> TaskEnqueued:
    return TaskEnqueued(task_id, TIME, name, None, tags, None, "manual", False, None, {}, 3, "thread")


def started(attempt: int = 0, task_id: str = TASK) -> AttemptStarted:
    return AttemptStarted(task_id, TIME, attempt, RETRY_SPAN if attempt else SPAN, "host:1", 0)


def logged(message: str = "hello", level: str = "info", attempt: int = 0, seq: int = 1, **extra: Any) -> TaskLogged:
    return TaskLogged(TASK, TIME, attempt, seq, level, message, extra)


def ended(status: TaskStatus, attempt: int = 0, error: ErrorInfo | None = None) -> AttemptEnded:
    outcome = {
        TaskStatus.RUNNING: AttemptOutcome.RETRYING,
        TaskStatus.SUCCESS: AttemptOutcome.SUCCEEDED,
        TaskStatus.FAILED: AttemptOutcome.FAILED,
        TaskStatus.CANCELLED: AttemptOutcome.CANCELLED,
        TaskStatus.INTERRUPTED: AttemptOutcome.INTERRUPTED,
    }[status]
    return AttemptEnded(TASK, TIME, attempt, 250_000_000, outcome, status, error, None, None, 1)


def settled(status: TaskStatus) -> TaskSettled:
    return TaskSettled(TASK, TIME, status, "user")


def piece(*events: Event, first: int = 1, live: bool = True) -> JournalSlice:
    return JournalSlice(HEADER, first, first + len(events) - 1, list(enumerate(events, first)), live)


def lines(count: int, first: int = 1) -> JournalSlice:
    """A slice of that many log lines, numbered."""
    return piece(*(logged(f"line {seq}", seq=seq) for seq in range(first, first + count)), first=first)


def log_event(message: str = "hello", **changes: Any) -> LogEvent:
    given: dict[str, Any] = {
        "task_id": TASK,
        "func_name": "send_email",
        "level": "info",
        "timestamp": datetime(2026, 1, 31, 12, 0, 0, 123_456, timezone.utc),
        "attempt": 0,
        **changes,
    }
    return LogEvent(message=message, **given)


def lifecycle_event(status: TaskStatus = TaskStatus.RUNNING, **changes: Any) -> LifecycleEvent:
    given: dict[str, Any] = {
        "task_id": TASK,
        "func_name": "send_email",
        "timestamp": datetime(2026, 1, 31, 12, 0, tzinfo=timezone.utc),
        "attempt": 0,
        "retries_used": 0,
        **changes,
    }
    return LifecycleEvent(status=status, **given)
