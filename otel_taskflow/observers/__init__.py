"""Observers: who is told about every log line and every change of a task's state."""

from otel_taskflow.observers.base import BatchObserver, TaskObserver, check_observers
from otel_taskflow.observers.file import FileLogger
from otel_taskflow.observers.memory import InMemoryLogger
from otel_taskflow.observers.stdout import StdoutLogger

__all__ = ["BatchObserver", "FileLogger", "InMemoryLogger", "StdoutLogger", "TaskObserver", "check_observers"]
