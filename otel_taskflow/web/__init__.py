"""``TaskAdmin``: the HTTP API and the dashboard, mounted in an app."""

from otel_taskflow.web.admin import TaskAdmin
from otel_taskflow.web.backend import AdminBackend

__all__ = ["AdminBackend", "TaskAdmin"]
