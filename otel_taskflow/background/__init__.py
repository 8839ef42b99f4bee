"""FastAPI's side: the dependency, the request's task list, and plain ``BackgroundTasks`` routes that become managed."""

from otel_taskflow.background.dependency import make_dependency
from otel_taskflow.background.install import install
from otel_taskflow.background.tasks import ManagedBackgroundTasks, TaskSubmitter
from otel_taskflow.background.unavailable import answer_unavailable

__all__ = ["ManagedBackgroundTasks", "TaskSubmitter", "answer_unavailable", "install", "make_dependency"]
