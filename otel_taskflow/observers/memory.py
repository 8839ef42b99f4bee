"""``InMemoryLogger``: keeps events in lists, for tests and for looking inside."""

from __future__ import annotations

import sys
import threading
from collections import deque
from typing import Any

from otel_taskflow.errors import ConfigurationError, shown
from otel_taskflow.events import LifecycleEvent, LogEvent
from otel_taskflow.observers.base import DONE, TaskObserver


class InMemoryLogger(TaskObserver):
    """Keep the newest ``max_events`` lines and as many changes of state. May be read from any thread.

    Args:
        min_level: Lines below are not kept. Changes of state always are.
        max_events: How many of each kind are kept; the oldest go first.
        name: Tells it apart from another.

    Raises ConfigurationError for a value that it cannot use.
    """

    replay = False

    def __init__(self, *, min_level: str | None = "debug", max_events: int = 10_000, name: str | None = None) -> None:
        super().__init__(min_level, name=name)
        limit = _checked(max_events)
        self._lock = threading.Lock()
        self._logs: deque[LogEvent] = deque(maxlen=limit)
        self._lifecycles: deque[LifecycleEvent] = deque(maxlen=limit)

    @property
    def log_events(self) -> list[LogEvent]:
        """A copy of the lines, oldest first."""
        with self._lock:
            return list(self._logs)

    @property
    def lifecycle_events(self) -> list[LifecycleEvent]:
        """A copy of the changes of state, oldest first."""
        with self._lock:
            return list(self._lifecycles)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._logs.clear()
            self._lifecycles.clear()

    def on_log(self, event: LogEvent) -> Any:
        """Keep a line."""
        if self.accepts(event.level):
            with self._lock:
                self._logs.append(event)
        return DONE

    def on_lifecycle(self, event: LifecycleEvent) -> Any:
        """Keep a change of state."""
        with self._lock:
            self._lifecycles.append(event)
        return DONE


def _checked(max_events: object) -> int:
    if isinstance(max_events, bool) or not isinstance(max_events, int) or not 1 <= max_events <= sys.maxsize:
        raise ConfigurationError(
            f"InMemoryLogger(max_events={shown(max_events)}): use a whole number of at least 1 and at most {sys.maxsize}"
        )
    return max_events


__all__ = ["InMemoryLogger"]
