"""The models, where fastapi-taskflow has them. Here they are imported from ``otel_taskflow`` itself."""

from __future__ import annotations

from typing import Any

from otel_taskflow.context import TaskContext
from otel_taskflow.events import LifecycleEvent, LogEvent
from otel_taskflow.manager.compatibility import no_such_name
from otel_taskflow.model import TaskConfig, TaskStatus
from otel_taskflow.record import TaskRecord


def __getattr__(name: str) -> Any:
    raise no_such_name(__name__, name)


__all__ = ["LifecycleEvent", "LogEvent", "TaskConfig", "TaskContext", "TaskRecord", "TaskStatus"]
