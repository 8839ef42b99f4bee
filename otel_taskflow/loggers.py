"""The observers, where fastapi-taskflow has them. Here they are imported from ``otel_taskflow`` itself."""

from __future__ import annotations

from typing import Any

from otel_taskflow.events import LifecycleEvent, LogEvent
from otel_taskflow.manager.compatibility import no_such_name
from otel_taskflow.observers import FileLogger, InMemoryLogger, StdoutLogger, TaskObserver


def __getattr__(name: str) -> Any:
    raise no_such_name(__name__, name)


__all__ = ["FileLogger", "InMemoryLogger", "LifecycleEvent", "LogEvent", "StdoutLogger", "TaskObserver"]
