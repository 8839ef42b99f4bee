"""Where am I: the running attempt, what it says about itself, and ``task_log``."""

from otel_taskflow.context.carrying import wrap
from otel_taskflow.context.current import (
    LogSink,
    TaskContext,
    attempt_in,
    current_attempt,
    enter_attempt,
    get_task_context,
)
from otel_taskflow.context.logging import task_log

__all__ = [
    "LogSink",
    "TaskContext",
    "attempt_in",
    "current_attempt",
    "enter_attempt",
    "get_task_context",
    "task_log",
    "wrap",
]
