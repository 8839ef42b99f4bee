"""What the web needs of a manager, and no more. Reads go through the store's reader, the verbs are the manager's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from otel_taskflow.health import HealthReport
from otel_taskflow.model import TaskRow
from otel_taskflow.ports import StoreReader


class AdminBackend(Protocol):
    """A TaskManager, as the web sees it."""

    @property
    def is_disabled(self) -> bool:
        """True if nothing is kept, so that there is nothing to be shown."""

    def init_app(self, app: Any) -> None:
        """Start and stop with the app. A second call with the same app does nothing."""

    def install(self, app: Any) -> None:
        """Make the plain ``BackgroundTasks`` of the app's routes managed."""

    def add_startup_check(self, check: Callable[[], None]) -> None:
        """Call ``check`` at each start-up of the app, before anything is started; what it raises stops the start-up."""

    def reader(self) -> StoreReader:
        """The store's reader for the running event loop, always the same one for a loop."""

    async def level(self, timeout: float = 0.25) -> int:
        """Wait until readers see everything acknowledged on this host; how many events are still missing."""

    async def cancel(self, task_id: str, actor: str = "anonymous") -> TaskRow:
        """Cancel an unfinished task. Raises TaskNotFoundError, TaskStateError."""

    async def retry(self, task_id: str, actor: str = "anonymous") -> TaskRow:
        """Run a finished task again; the new task. Raises TaskNotFoundError, TaskStateError, TaskNotRegisteredError."""

    @property
    def dropped(self) -> Mapping[str, int]:
        """Events that this process has lost since its start, by reason."""

    @property
    def kept_in(self) -> str:
        """Where tasks are kept, for people."""

    def health(self) -> HealthReport:
        """How all parts are. Never raises; takes milliseconds."""

    @property
    def is_ready(self) -> bool:
        """True while it is started, does not begin to stop, and its store can be reached. Waits for nothing."""

    def on_health(self, callback: Callable[[HealthReport], None]) -> Callable[[], None]:
        """Call back with a report once a second, from any thread. Returns a function that takes it back."""

    def access_token(self) -> str:
        """The token that opens the dashboard; the same for all processes of the folder."""

    def redacted(self, value: Any) -> Any:
        """A JSON value for people to see: what the redaction rules find in it is replaced."""

    def on_stop(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back, from any thread, when the process begins to stop. Returns a function that takes it back."""

    @property
    def trusted_client(self) -> bool:
        """True in hermetic tests: the test client is let in."""
