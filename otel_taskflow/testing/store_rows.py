"""Rows for tests of stores: whole, and different in every field that a test names."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from otel_taskflow.model import AttemptOutcome, AttemptRow, ErrorInfo, LogRow, SpanIdentity, TaskRow, TaskStatus
from otel_taskflow.ports import Store, StoreReader

T = TypeVar("T")

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
"""When the tests' tasks are created, if they do not say otherwise."""

SPAN = SpanIdentity("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "00f067aa0ba902b7", 1, "vendor=1")
ERROR = ErrorInfo("ValueError", "bad <b>input</b> \N{SNOWMAN}", "Traceback ...\nValueError: bad")


def make_task(task_id: str = "task-1", **fields: Any) -> TaskRow:
    """A pending task of owner ``journal-a``."""
    return TaskRow(
        **{
            "task_id": task_id,
            "name": "send_email",
            "status": TaskStatus.PENDING,
            "created_at": START,
            "owner": "journal-a",
            **fields,
        }
    )


def make_full_task(task_id: str = "task-full") -> TaskRow:
    """A task with something in every field."""
    return make_task(
        task_id,
        status=TaskStatus.FAILED,
        args='{"args": [1, "\N{SNOWMAN}"], "kwargs": {"a": null}}',
        tags={"customer": "7", "an odd key": "an 'odd' \"value\""},
        idempotency_key="key-1",
        source="retry",
        held=True,
        released_at=START + 1,
        started_at=START + 2,
        ended_at=START + 3,
        waiting_until=START + 4,
        attempts=2,
        max_attempts=3,
        error=ERROR,
        reason="request_failed",
        span=SPAN,
        carrier={"traceparent": f"00-{SPAN.trace_id}-{SPAN.span_id}-01"},
        executor="loop",
        retry_of="task-before",
        retried_as="task-after",
        log_count=5,
        requeue_on_interrupt=True,
        expires_at=START + 5,
    )


def make_finished_task(task_id: str, ended_at: int, **fields: Any) -> TaskRow:
    """A task that succeeded after one second."""
    times = {"created_at": ended_at - SECOND, "started_at": ended_at - SECOND, "ended_at": ended_at}
    return make_task(task_id, **{"status": TaskStatus.SUCCESS, "attempts": 1, **times, **fields})


def make_attempt(task_id: str = "task-1", attempt: int = 0, **fields: Any) -> AttemptRow:
    """A running attempt."""
    return AttemptRow(
        **{
            "task_id": task_id,
            "attempt": attempt,
            "started_at": START + attempt,
            "span": SPAN,
            "worker": "host:1",
            **fields,
        }
    )


def make_full_attempt(task_id: str = "task-full", attempt: int = 0) -> AttemptRow:
    """An attempt with something in every field."""
    return make_attempt(
        task_id,
        attempt,
        ended_at=START + 9,
        duration=8,
        queue_wait=7,
        outcome=AttemptOutcome.TIMED_OUT,
        error=ERROR,
        log_count=6,
        late_end=True,
    )


def make_line(task_id: str = "task-1", seq: int = 1, attempt: int = 0, **fields: Any) -> LogRow:
    """A line at level info."""
    return LogRow(
        **{
            "task_id": task_id,
            "attempt": attempt,
            "seq": seq,
            "time": START + seq,
            "level": "info",
            "message": f"line {seq}",
            **fields,
        }
    )


def make_lines(task_id: str, first: int, last: int, attempt: int = 0) -> list[LogRow]:
    """Lines ``first`` to ``last``."""
    return [make_line(task_id, seq, attempt) for seq in range(first, last + 1)]


EXTRA: Mapping[str, Any] = {"order_id": 42, "ratio": 0.5, "ok": True, "none": None, "list": [1, {"a": "\N{SNOWMAN}"}]}


def ask(store: Store, question: Callable[[StoreReader], Awaitable[T]]) -> T:
    """Ask a new reader on an event loop of its own, and close it."""

    async def ask_once() -> T:
        reader = store.reader()
        try:
            return await question(reader)
        finally:
            await reader.aclose()

    return asyncio.run(ask_once())
