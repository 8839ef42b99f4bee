"""No telemetry: ids only. For tests, and for managers that are not to be traced."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from otel_taskflow.events import AttemptEnded, AttemptStarted
from otel_taskflow.model import SpanIdentity, TaskRow
from otel_taskflow.ports import AttemptLogs, AttemptSpan, EnqueueSpan, Watched
from otel_taskflow.telemetry.ids import child_identity, root_identity

_no_carrier: Mapping[str, str] = {}


class NoTelemetry:
    """Gives every span an identity and does nothing else; OpenTelemetry is not even imported."""

    def enqueue(self, task_id: str, definition_name: str, code_name: str, tags: Mapping[str, str]) -> EnqueueSpan:
        """A new trace id."""
        return EnqueueSpan(root_identity(), _no_carrier)

    def start_attempt(self, task: TaskRow, started: AttemptStarted) -> AttemptSpan:
        """A new span id in the task's trace."""
        return _NoSpan(child_identity(task.span))

    def attempt_started(self, name: str) -> None:
        """Nothing."""

    def attempt_ended(self, name: str, ended: AttemptEnded, span: AttemptSpan, queue_wait: int) -> None:
        """Nothing."""

    def watch(self, figures: Watched) -> Callable[[], None]:
        """Nothing."""
        return _nothing


def _nothing() -> None:
    return None


class _NoSpan:
    __slots__ = ("identity",)

    def __init__(self, identity: SpanIdentity) -> None:
        self.identity = identity

    def activate(self) -> None:
        """The context stays as it is."""

    def carrier(self) -> Mapping[str, str]:
        """Nothing."""
        return _no_carrier

    def additions(self) -> None:
        """Nothing."""

    def end(self, ended: AttemptEnded, logs: AttemptLogs, exception: BaseException | None) -> None:
        """Nothing."""
