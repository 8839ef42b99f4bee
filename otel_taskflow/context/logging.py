"""``task_log``: one line in the running attempt's own record; outside a task, one on the standard library's logger."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from typing import Any

from otel_taskflow.context.current import current_attempt
from otel_taskflow.values.levels import normalize_level, stdlib_level
from otel_taskflow.values.text import as_text

_logger = logging.getLogger("otel_taskflow")
_fallback_logger = logging.getLogger("otel_taskflow.task")
_hinted: list[bool] = []
_record_attributes = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def task_log(message: object, /, *, level: str = "info", **extra: Any) -> None:
    """Write a line to the running task's record: its own attempt, span event, log record and observers.

    Args:
        message: The text; anything else is turned into text.
        level: ``debug``, ``info``, ``warning`` or ``error``. Standard library names and numbers are mapped; an unknown
            level becomes ``info`` with the given value kept in the extra ``level_given``.
        **extra: Structured fields, kept as JSON, sent as attributes.

    Never raises. The line is durable when the call returns. Outside a task it goes to the standard library's logger
    ``otel_taskflow.task`` at the same level, with the extras on the record (one that collides with a record's own
    attribute is prefixed with ``extra_``).
    """
    attempt = current_attempt()
    if attempt is not None:
        attempt.log(message, level, extra)
    else:
        _log_outside(message, level, extra)


def _log_outside(message: object, level: object, extra: dict[str, Any]) -> None:
    name, _ = normalize_level(level)
    levelno = stdlib_level(name)
    if not _fallback_logger.isEnabledFor(levelno):
        return
    text = as_text(message)
    with suppress(Exception):  # task_log never raises, whatever a handler or a record factory does.
        if not _hinted and threading.current_thread() is not threading.main_thread():
            _hint()
        try:
            _fallback_logger.log(levelno, "%s", text, extra=_safe_for_record(extra), stacklevel=3)
        except KeyError:  # A record factory has an attribute of this name: the text without the extras.
            _fallback_logger.log(levelno, "%s", text, stacklevel=3)


def _hint() -> None:
    """Once: a line that was meant for a task may have lost it on the way into a thread."""
    _hinted.append(True)
    _logger.info("task_log was called outside a task; in a thread that a task starts, run otel_taskflow.wrap(function)")


def _safe_for_record(extra: dict[str, Any]) -> dict[str, Any]:
    safe = {key: value for key, value in extra.items() if key not in _record_attributes}
    for key in extra.keys() - safe.keys():
        name = f"extra_{key}"
        while name in extra:
            name = f"extra_{name}"
        safe[name] = extra[key]
    return safe
