"""One event, one line: the text and JSON forms that FileLogger and StdoutLogger write."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, Literal

from otel_taskflow.errors import ConfigurationError
from otel_taskflow.events import LifecycleEvent, LogEvent
from otel_taskflow.observers.base import BatchObserver, ObserverEvent, level_weight, status_level
from otel_taskflow.record import to_iso
from otel_taskflow.values.lines import iso_millis, one_line

Format = Literal["text", "json"]

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)


class LineObserver(BatchObserver):
    """An observer that turns events into lines.

    Raises ConfigurationError for a value that it cannot use.
    """

    def __init__(self, *, log_lifecycle: bool, min_level: str | None, format: Format, name: str | None) -> None:  # noqa: A002 - the name users write, as in logging.Formatter
        super().__init__(min_level, name=name)
        self.min_level = min_level
        self.log_lifecycle = _checked_bool(self, log_lifecycle)
        self.format = _checked_format(self, format)

    def wants(self, event: ObserverEvent) -> bool:
        """Whether there is a line for this event: ``min_level`` holds for changes of state, too."""
        if isinstance(event, LogEvent):
            return self.accepts(event.level)
        return self.log_lifecycle and self.accepts(status_level(event.status))

    def line_of(self, event: ObserverEvent) -> str:
        """The line, without its end. Safe to write: whatever the event says, it is one line without control codes."""
        return json_line(event) if self.format == "json" else text_line(event)

    def lines_of(self, events: Sequence[ObserverEvent]) -> list[str]:
        """The lines of those events that are wanted."""
        return [self.line_of(event) for event in events if self.wants(event)]


def text_line(event: ObserverEvent) -> str:
    """``[id8] [func] 2026-01-31T12:00:00.123Z message``, or ``-- STATUS`` instead of the message."""
    return f"{prefix(event)} {text(event)}"


def prefix(event: ObserverEvent) -> str:
    """``[id8] [func] time``."""
    return f"[{one_line(event.task_id[:8])}] [{one_line(event.func_name)}] {iso_millis(_nanoseconds(event.timestamp))}"


def text(event: ObserverEvent) -> str:
    """The message as one line, or ``-- STATUS``."""
    return one_line(event.message) if isinstance(event, LogEvent) else f"-- {event.status.name}"


def json_line(event: ObserverEvent) -> str:
    """The event as one line of JSON in ASCII. A line with ``status`` is a change of state."""
    fields = _log_fields(event) if isinstance(event, LogEvent) else _lifecycle_fields(event)
    try:
        return json.dumps(fields, default=str, allow_nan=False)
    except ValueError:
        return json.dumps(_without_nan(fields), default=str, allow_nan=False)


def _log_fields(event: LogEvent) -> dict[str, Any]:
    return {
        "time": to_iso(event.timestamp),
        "level": event.level,
        "message": event.message,
        **_shared_fields(event),
        "seq": event.seq,
        "extra": dict(event.extra),
        "logger": event.logger,
    }


def _lifecycle_fields(event: LifecycleEvent) -> dict[str, Any]:
    return {
        "time": to_iso(event.timestamp),
        "level": status_level(event.status),
        "message": f"-- {event.status.name}",
        **_shared_fields(event),
        "status": event.status.value,
        "retries_used": event.retries_used,
        "duration": event.duration,
        "error": event.error,
        "stacktrace": event.stacktrace,
    }


def _shared_fields(event: ObserverEvent) -> dict[str, Any]:
    return {
        "task_id": event.task_id,
        "task": event.func_name,
        "attempt": event.attempt,
        "tags": dict(event.tags),
        "trace_id": event.trace_id,
        "span_id": event.span_id,
    }


def _without_nan(value: Any) -> Any:
    """JSON has no NaN and no infinity: they become text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _without_nan(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(each) for each in value]
    return value


def _nanoseconds(time: datetime) -> int:
    return (time - _EPOCH) // _MICROSECOND * 1000


def _checked_bool(owner: object, value: object) -> bool:
    if not isinstance(value, bool):
        raise ConfigurationError(f"{type(owner).__name__}(log_lifecycle={value!r}): use True or False")
    return value


def _checked_format(owner: object, value: Format) -> Format:
    if value not in ("text", "json"):
        raise ConfigurationError(f'{type(owner).__name__}(format={value!r}): use "text" or "json"')
    return value


__all__ = ["Format", "LineObserver", "json_line", "level_weight", "prefix", "text", "text_line"]
