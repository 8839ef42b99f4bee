"""``TaskManager``: puts the parts together and holds the verbs."""

from otel_taskflow.manager.settings import Settings
from otel_taskflow.manager.task_manager import TaskManager

__all__ = ["Settings", "TaskManager"]
