"""Background tasks for FastAPI that can be seen: attempts as spans, logs per attempt, nothing lost.

Importing does nothing: no folder, thread, lock or takeover before the app's start-up or the first ``add_task``.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import TYPE_CHECKING, Any

if importlib.util.find_spec("fcntl") is None:
    raise ImportError(
        f"otel_taskflow runs on Linux and macOS: its journal needs fcntl locks, which this platform ({sys.platform}) "
        "does not have"
    )

from otel_taskflow.version import __version__

if TYPE_CHECKING:
    from otel_taskflow.background.tasks import ManagedBackgroundTasks
    from otel_taskflow.context import TaskContext, get_task_context, task_log, wrap
    from otel_taskflow.errors import (
        ConfigurationError,
        JournalError,
        ManagerClosedError,
        QueueFullError,
        SpoolError,
        StoreError,
        StoreUnavailableError,
        StoreVersionError,
        TaskArgumentError,
        TaskflowError,
        TaskNotFoundError,
        TaskNotRegisteredError,
        TaskStateError,
        UnsupportedParameterError,
    )
    from otel_taskflow.events import LifecycleEvent, LogEvent
    from otel_taskflow.export import FinishedAttempt, OTLPExporter
    from otel_taskflow.manager import Settings, TaskManager
    from otel_taskflow.model import TaskConfig, TaskStatus
    from otel_taskflow.observers import FileLogger, InMemoryLogger, StdoutLogger, TaskObserver
    from otel_taskflow.record import TaskRecord
    from otel_taskflow.setup.processors import DurableLogRecordProcessor, DurableSpanProcessor
    from otel_taskflow.setup.telemetry import setup_telemetry
    from otel_taskflow.web import TaskAdmin

_HOMES = {
    "ConfigurationError": "errors",
    "DurableLogRecordProcessor": "setup.processors",
    "DurableSpanProcessor": "setup.processors",
    "FileLogger": "observers",
    "FinishedAttempt": "export",
    "InMemoryLogger": "observers",
    "JournalError": "errors",
    "LifecycleEvent": "events",
    "LogEvent": "events",
    "ManagedBackgroundTasks": "background.tasks",
    "ManagerClosedError": "errors",
    "OTLPExporter": "export",
    "QueueFullError": "errors",
    "Settings": "manager",
    "SpoolError": "errors",
    "StdoutLogger": "observers",
    "StoreError": "errors",
    "StoreUnavailableError": "errors",
    "StoreVersionError": "errors",
    "TaskAdmin": "web",
    "TaskArgumentError": "errors",
    "TaskConfig": "model",
    "TaskContext": "context",
    "TaskManager": "manager",
    "TaskNotFoundError": "errors",
    "TaskNotRegisteredError": "errors",
    "TaskObserver": "observers",
    "TaskRecord": "record",
    "TaskStateError": "errors",
    "TaskStatus": "model",
    "TaskflowError": "errors",
    "UnsupportedParameterError": "errors",
    "get_task_context": "context",
    "setup_telemetry": "setup.telemetry",
    "task_log": "context",
    "wrap": "context",
}

__all__ = [
    "ConfigurationError",
    "DurableLogRecordProcessor",
    "DurableSpanProcessor",
    "FileLogger",
    "FinishedAttempt",
    "InMemoryLogger",
    "JournalError",
    "LifecycleEvent",
    "LogEvent",
    "ManagedBackgroundTasks",
    "ManagerClosedError",
    "OTLPExporter",
    "QueueFullError",
    "Settings",
    "SpoolError",
    "StdoutLogger",
    "StoreError",
    "StoreUnavailableError",
    "StoreVersionError",
    "TaskAdmin",
    "TaskArgumentError",
    "TaskConfig",
    "TaskContext",
    "TaskManager",
    "TaskNotFoundError",
    "TaskNotRegisteredError",
    "TaskObserver",
    "TaskRecord",
    "TaskStateError",
    "TaskStatus",
    "TaskflowError",
    "UnsupportedParameterError",
    "__version__",
    "get_task_context",
    "setup_telemetry",
    "task_log",
    "wrap",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        if name[:1].isupper():
            compatibility = importlib.import_module("otel_taskflow.manager.compatibility")
            if (missing := compatibility.missing_name(name)) is not None:
                raise missing  # An AttributeError would lose its text on the way through `from otel_taskflow import ...`.
        raise AttributeError(f"module 'otel_taskflow' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"otel_taskflow.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
