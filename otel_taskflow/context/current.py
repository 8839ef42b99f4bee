"""The attempt that runs here, carried by a context variable."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextvars import Context, ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class TaskContext:
    """What a task may know about itself.

    Attributes:
        task_id: Id of the task.
        func_name: Registered name of the function.
        attempt: 0 for the first run, 1 for the first retry, ... (telemetry's ``attempt.number`` is one higher).
        tags: The tags given to ``add_task``; a copy of this attempt's own.
        trace_id: Trace id of the attempt's span, 32 hexadecimal digits.
        span_id: Span id of the attempt's span, 16 hexadecimal digits.
    """

    task_id: str
    func_name: str
    attempt: int
    tags: Mapping[str, str] = field(default_factory=dict)
    trace_id: str | None = None
    span_id: str | None = None


class LogSink(Protocol):
    """A running attempt, as far as code inside it can reach it."""

    context: TaskContext

    def log(self, message: object, level: object, extra: dict[str, Any], logger: str | None = None) -> None:
        """Write one line to the attempt's record. Never raises."""


_current: ContextVar[LogSink | None] = ContextVar("otel_taskflow_attempt", default=None)

current_attempt: Callable[[], LogSink | None] = _current.get
"""The running attempt, or None outside a task."""

enter_attempt = _current.set
"""Make an attempt the running one in this contextvars context."""


# A forked child has none: it is no part of the attempt, and the journal that its lines would go into is its parent's.
os.register_at_fork(after_in_child=lambda: enter_attempt(None))


def attempt_in(context: Context) -> LogSink | None:
    """The attempt that runs in another context, or None."""
    return context.get(_current)


def get_task_context() -> TaskContext | None:
    """Return the context of the running task, or None outside a task."""
    attempt = _current.get()
    return None if attempt is None else attempt.context
