"""``StdoutLogger``: events as lines on standard output, coloured for people."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any, TextIO

from otel_taskflow.events import LogEvent
from otel_taskflow.observers.base import DONE, ObserverEvent, status_level
from otel_taskflow.observers.lines import Format, LineObserver, prefix, text
from otel_taskflow.values.levels import normalize_level

_DIM, _RESET = "\x1b[2m", "\x1b[0m"
_COLOURS = {"debug": "\x1b[2m", "info": "", "warning": "\x1b[33m", "error": "\x1b[31m"}


class StdoutLogger(LineObserver):
    """Write lines and changes of state to standard output, as FileLogger does to a file.

    Colours only on a terminal, and not if the environment variable ``NO_COLOR`` is set (https://no-color.org).

    Args:
        log_lifecycle: Also write when a task starts and ends.
        min_level: Leave out lines and changes of state below this level; None for all.
        format: ``text``, or ``json`` for one JSON object a line.
        name: Tells it apart from another.

    Raises ConfigurationError for a value that it cannot use.
    """

    replay = False

    def __init__(
        self,
        *,
        log_lifecycle: bool = True,
        min_level: str | None = "info",
        format: Format = "text",  # noqa: A002 - the name users write, as in logging.Formatter
        name: str | None = None,
    ) -> None:
        super().__init__(log_lifecycle=log_lifecycle, min_level=min_level, format=format, name=name)

    def on_batch(self, events: Sequence[ObserverEvent]) -> Any:
        """Write the events that are wanted, in one write."""
        stream = sys.stdout
        wanted = [event for event in events if self.wants(event)]
        if not wanted or stream is None:
            return DONE
        is_coloured = self.format == "text" and _has_colours(stream)
        lines = [_coloured(event) if is_coloured else self.line_of(event) for event in wanted]
        stream.write(_writable("\n".join(lines) + "\n", stream))
        stream.flush()
        return DONE


def _coloured(event: ObserverEvent) -> str:
    level = normalize_level(event.level)[0] if isinstance(event, LogEvent) else status_level(event.status)
    colour = _COLOURS[level]
    return f"{_DIM}{prefix(event)}{_RESET} {colour}{text(event)}{_RESET if colour else ''}"


def _has_colours(stream: TextIO) -> bool:
    # Whoever replaces sys.stdout may give it only what print() needs: write and flush.
    is_terminal = getattr(stream, "isatty", None)
    return not os.environ.get("NO_COLOR") and is_terminal is not None and is_terminal()


def _writable(line: str, stream: TextIO) -> str:
    """What the stream's encoding does not have is shown as an escape: it must not stop the line."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return line.encode(encoding, "backslashreplace").decode(encoding)


__all__ = ["StdoutLogger"]
