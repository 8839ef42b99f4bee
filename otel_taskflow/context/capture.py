"""Taking over what libraries and old code log through the standard library inside an attempt.

Two methods of ``logging.Logger`` are wrapped while a capture is installed; no logger, level, handler or filter is touched.
A handler on the root logger would not do: with the default root level WARNING an INFO record is never made, lowering that
level would make everybody's handlers write more, and a root logger that has a handler makes ``logging.basicConfig()`` and
the handler of last resort do nothing. The wrappers make a record that would not have been made otherwise only inside an
attempt, and show it to nobody else; a record that somebody passes on with ``Logger.handle()``, which asks for no level,
goes to the handlers as ever. ``dictConfig`` does not undo the wrappers, and propagation does not double a line.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

from otel_taskflow.context.current import LogSink, current_attempt
from otel_taskflow.errors import ConfigurationError
from otel_taskflow.values.levels import from_stdlib

_OWN = "otel_taskflow"
_NEVER = 1 << 62
_record_attributes = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
# What OpenTelemetry's instrumentation puts on each record: a line has its own trace and span.
_added_by_others = frozenset({"otelSpanID", "otelTraceID", "otelTraceSampled", "otelServiceName"})
# What structlog puts on a record for its own formatter, and into the mapping that is the message.
_for_structlog = frozenset({"_logger", "_name", "_record", "_from_structlog"})
_not_extra = _record_attributes | _added_by_others | _for_structlog
_is_taking: ContextVar[bool] = ContextVar("otel_taskflow_capturing", default=False)
_only_ours: ContextVar[frozenset[logging.Logger]] = ContextVar("otel_taskflow_only_ours", default=frozenset())
"""Loggers that last said that they are enabled only because of the attempt; the record that follows is shown to nobody else."""
_formatter = logging.Formatter()


def install_capture(level: str | int) -> Callable[[], None]:
    """Put what is logged inside an attempt at ``level`` or above into its record too; returns how to undo it.

    A logger for which a level is set, on itself or on an ancestor below the root, keeps it; ``logging.disable`` and
    filters of loggers hold; loggers of this package are left out. With several captures in a process the lowest level
    holds for all. Raises ConfigurationError for a level that the standard library does not know.
    """
    threshold = capture_level(level)
    _hooks.add(threshold)
    once = threading.Lock()

    def uninstall() -> None:
        if once.acquire(blocking=False):
            _hooks.remove(threshold)

    return uninstall


def capture_level(level: object) -> int:
    """The standard library's number of a level: a name in any case, or a number. Raises ConfigurationError."""
    number: object = level
    if isinstance(level, str):
        name = level.strip().upper()
        number = int(name) if name.isascii() and name.isdigit() else logging.getLevelName(name)
    if isinstance(number, bool) or not isinstance(number, int) or number < 0:
        raise ConfigurationError(
            f"capture_logging={level!r}: use DEBUG, INFO, WARNING, ERROR or CRITICAL, or a number of the logging module"
        )
    return number


class _Hooks:
    """The wrappers around ``isEnabledFor`` and ``callHandlers``, there while anybody wants them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wanted: list[int] = []
        self._threshold = _NEVER
        self._originals: dict[str, Callable[..., Any]] = {}
        self._wrappers: dict[str, Callable[..., Any]] = {}

    def add(self, level: int) -> None:
        """Somebody wants records from this level on."""
        with self._lock:
            self._wanted.append(level)
            self._threshold = min(self._wanted)
            if not self._wrappers:
                self._put_on()

    def remove(self, level: int) -> None:
        """Somebody does not want them any more."""
        with self._lock:
            self._wanted.remove(level)
            self._threshold = min(self._wanted, default=_NEVER)
            if not self._wanted:
                self._take_off()

    def _put_on(self) -> None:
        self._originals = {name: getattr(logging.Logger, name) for name in ("isEnabledFor", "callHandlers")}
        self._wrappers = self._wrapped(self._originals["isEnabledFor"], self._originals["callHandlers"])
        for name, wrapper in self._wrappers.items():
            setattr(logging.Logger, name, wrapper)

    def _take_off(self) -> None:
        """Put the originals back; if somebody wrapped ours since, ours stay below theirs and pass everything on."""
        if any(getattr(logging.Logger, name) is not wrapper for name, wrapper in self._wrappers.items()):
            return
        for name, original in self._originals.items():
            setattr(logging.Logger, name, original)
        self._wrappers = {}

    def _wrapped(
        self, is_enabled: Callable[[logging.Logger, int], bool], call_handlers: Callable[..., None]
    ) -> dict[str, Callable[..., Any]]:
        def is_enabled_for(logger: logging.Logger, level: int) -> bool:
            is_wanted = is_enabled(logger, level)
            if current_attempt() is None:
                return is_wanted
            is_only_ours = not is_wanted and self._makes(logger, level)
            _mark(logger, is_only_ours)
            return is_wanted or is_only_ours

        def call_all_handlers(logger: logging.Logger, record: logging.LogRecord) -> None:
            attempt = current_attempt()
            if attempt is None:
                call_handlers(logger, record)
                return
            is_only_ours = _mark(logger, False)
            if record.levelno >= self._threshold and not _is_own(record.name):
                _take(record, attempt)
            if not is_only_ours:
                call_handlers(logger, record)

        return {"isEnabledFor": is_enabled_for, "callHandlers": call_all_handlers}

    def _makes(self, logger: logging.Logger, level: int) -> bool:
        """Whether a record that nobody else wants is made for the attempt."""
        if level < self._threshold or logger.disabled or logger.manager.disable >= level or _is_own(logger.name):
            return False
        return _has_default_level(logger)


def _mark(logger: logging.Logger, is_only_ours: bool) -> bool:
    """Remember whether the logger's next record is made for the attempt only; returns what was remembered before."""
    marked = _only_ours.get()
    was_only_ours = logger in marked
    if is_only_ours != was_only_ours:
        _only_ours.set(marked ^ {logger})
    return was_only_ours


def _has_default_level(logger: logging.Logger) -> bool:
    """Whether the level comes from the root logger: one set anywhere below was set on purpose."""
    current: logging.Logger | None = logger
    while current is not None and current.parent is not None:
        if current.level:
            return False
        current = current.parent
    return True


def _is_own(name: str) -> bool:
    return name == _OWN or name.startswith(f"{_OWN}.")


def _take(record: logging.LogRecord, attempt: LogSink) -> None:
    """Write a record to the attempt's. Never raises, and takes nothing that is logged by doing so."""
    if _is_taking.get():
        return
    token = _is_taking.set(True)
    try:
        message, pairs = _content_of(record)
        attempt.log(message, from_stdlib(record.levelno), {**_extra_of(record), **pairs}, record.name)
    finally:
        _is_taking.reset(token)


def _content_of(record: logging.LogRecord) -> tuple[object, Mapping[str, Any]]:
    """The message, and what a structured one says besides. A mapping is not made a text here: its secrets go by their keys."""
    if not isinstance(record.msg, Mapping) or record.args:
        return _message_of(record), {}
    try:
        pairs = {key: value for key, value in record.msg.items() if key not in _for_structlog}
    except Exception:  # noqa: BLE001 - a mapping of the user's may raise anything
        return record.msg, {}
    for key in ("event", "message"):
        if key in pairs:
            return pairs.pop(key), pairs
    return pairs, {}


def _message_of(record: logging.LogRecord) -> object:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - arguments that do not fit their format: the format alone is kept
        return record.msg


def _extra_of(record: logging.LogRecord) -> dict[str, Any]:
    extra = {key: value for key, value in vars(record).items() if key not in _not_extra}
    exception = _exception_of(record)
    if exception:
        extra["exception"] = exception
    if record.stack_info:
        extra["stack_info"] = record.stack_info
    return extra


def _exception_of(record: logging.LogRecord) -> str | None:
    if record.exc_text or not record.exc_info:
        return record.exc_text
    try:
        return _formatter.formatException(record.exc_info)
    except Exception:  # noqa: BLE001 - an exception that cannot be shown costs its text, not the line
        return None


_hooks = _Hooks()

__all__ = ["capture_level", "install_capture"]
