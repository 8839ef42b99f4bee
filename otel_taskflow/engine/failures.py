"""Failures on the standard library's logger ``otel_taskflow``, where people and error trackers look."""

from __future__ import annotations

import logging
from contextlib import suppress

from otel_taskflow.events import AttemptEnded
from otel_taskflow.model import TaskRow, TaskStatus

_logger = logging.getLogger("otel_taskflow")


def log_failure(task: TaskRow, ended: AttemptEnded, exception: BaseException | None) -> None:
    """Log a failed attempt: WARNING if it will be retried, ERROR with ``exc_info`` if it was the last. Never raises."""
    error = ended.error
    if error is None:
        return
    extra = {"task_id": task.task_id, "task_name": task.name, "attempt": ended.attempt}
    try:
        if ended.status is TaskStatus.FAILED:
            _logger.error(
                "task %s failed after %d attempt(s): %s: %s",
                task.name,
                ended.attempt + 1,
                error.type,
                error.message,
                exc_info=exception,
                extra=extra,
            )
        elif ended.waiting_until is not None:
            _logger.warning(
                "task %s: attempt %d failed and will be retried in %.3f s: %s: %s",
                task.name,
                ended.attempt + 1,
                ended.seconds_to_retry,
                error.type,
                error.message,
                extra=extra,
            )
    except Exception:  # noqa: BLE001 - a log handler failed
        report("a log handler failed", logging.DEBUG)


def report(what: str, level: int = logging.ERROR) -> None:
    """Log the exception that is being handled, from a part that must live on: never raises, also if a handler does."""
    with suppress(Exception):
        _logger.log(level, "otel_taskflow: %s", what, exc_info=True)
