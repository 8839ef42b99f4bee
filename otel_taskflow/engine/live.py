"""A task that this process has in hand."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable
from contextvars import Context
from dataclasses import replace
from enum import Enum
from time import monotonic_ns
from typing import TYPE_CHECKING, Any

from otel_taskflow.engine.attempt_log import AttemptLog
from otel_taskflow.model import Outcome, SpanIdentity, TaskDefinition, TaskRow, TaskStatus
from otel_taskflow.ports import AttemptSpan

if TYPE_CHECKING:
    from otel_taskflow.engine.timers import Timer


class Phase(Enum):
    """Where a live task stands. ``TaskStatus`` says the same to the outside, more coarsely."""

    HELD = "held"
    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    DONE = "done"
    LEFT = "left"
    """This process ends; another one will go on with it."""


class RunningAttempt:
    """One attempt while it runs; ``log`` is what ``task_log`` reaches."""

    __slots__ = (
        "aio_task",
        "cancelled_as",
        "ended",
        "kill",
        "log",
        "number",
        "queue_wait",
        "span",
        "started_at",
        "started_ticks",
        "timer",
    )

    def __init__(self, number: int, span: AttemptSpan, log: AttemptLog, started_at: int, queue_wait: int) -> None:
        self.number = number
        self.span = span
        self.log = log
        self.started_at = started_at
        self.queue_wait = queue_wait
        self.started_ticks = 0
        self.ended = False
        self.aio_task: asyncio.Task[None] | None = None
        self.cancelled_as: Outcome | None = None
        """What the attempt's end will mean, once we have cancelled it."""
        self.kill: Callable[[], None] | None = None
        """Ends the worker process that it runs in."""
        self.timer: Timer | None = None
        """Of its timeout."""


class LiveTask:
    """A task between add_task (or adoption) and its final state. ``lock`` guards phase and attempt."""

    __slots__ = (
        "args",
        "attempt",
        "attempts",
        "cancel_requested",
        "context",
        "definition",
        "final_status",
        "holders",
        "interruptions",
        "is_started",
        "kwargs",
        "last_span",
        "lock",
        "loop",
        "next_seq",
        "on_attempt_end",
        "on_done",
        "phase",
        "ready_ticks",
        "retry_is_set",
        "retry_timer",
        "row",
        "starts_before",
        "thread_running",
        "waiting_until",
    )

    def __init__(
        self,
        row: TaskRow,
        definition: TaskDefinition,
        call: tuple[tuple[Any, ...], dict[str, Any]],
        context: Context,
    ) -> None:
        self.row = row
        self.definition = definition
        self.args, self.kwargs = call
        self.context = context
        self.loop: asyncio.AbstractEventLoop | None = None
        """What the first attempt is to run on."""
        self.lock = threading.Lock()
        self.phase = Phase.HELD if row.held else Phase.PENDING
        self.holders = 1
        """Requests that may start it. More than one where several have asked for its idempotency key."""
        self.is_started = False
        """Whether somebody has started it, though it may wait for its turn."""
        self.attempts = row.attempts
        self.attempt: RunningAttempt | None = None
        self.last_span: SpanIdentity | None = None
        """The newest attempt's span, which the next one is linked to."""
        self.interruptions = 0
        """Attempts that were cut off by the end of their process and are followed by another."""
        self.cancel_requested = False
        self.final_status: TaskStatus | None = None
        self.thread_running = False
        self.ready_ticks = 0
        self.waiting_until: int | None = row.waiting_until
        self.starts_before: int | None = None
        """Ticks after which the first attempt does not start any more; a step of the clock does not move them."""
        self.retry_is_set = False
        """Whether somebody has seen to it that this wait ends: the attempt's end and its thread's both may."""
        self.retry_timer: Timer | None = None
        self.next_seq = itertools.count(row.log_count + 1).__next__
        self.on_attempt_end: Callable[[], None] | None = None
        self.on_done: Callable[[], None] | None = None

    def hold(self) -> bool:
        """One more request may start it: that another one fails does not cancel it any more. False if it is held no longer."""
        with self.lock:
            if self.phase is not Phase.HELD:
                return False
            self.holders += 1
            return True

    def expire_in(self, nanoseconds: int) -> None:
        """The first attempt must start within this time from now."""
        self.starts_before = monotonic_ns() + nanoseconds

    def number_lines_from(self, seq: int) -> None:
        """The next line has this number."""
        self.next_seq = itertools.count(seq).__next__

    def let_go(self) -> None:
        """Keep nothing of the call: it has ended, and somebody only wants to know how."""
        self.args, self.kwargs, self.context = (), {}, Context()
        if not self.definition.is_recoverable:  # else the registry has the function anyway
            self.definition = replace(self.definition, func=_is_over)
        self.row = self.row._replace(args=None)

    @property
    def is_before_first_end(self) -> bool:
        """True until its first attempt has ended, or it has been cancelled without one."""
        return self.phase is Phase.PENDING or (self.phase is Phase.RUNNING and self.attempts == 1)

    @property
    def has_expired(self) -> bool:
        """True if the time for the first attempt has passed, and it has not started."""
        return self.starts_before is not None and self.attempts == 0 and monotonic_ns() >= self.starts_before

    @property
    def is_recoverable(self) -> bool:
        """True if another process could run it: its arguments were kept."""
        return self.row.args is not None


def _is_over() -> None:
    """In place of the function of a task that has ended: it may hold a request's objects."""
