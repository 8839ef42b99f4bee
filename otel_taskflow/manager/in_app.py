"""A task manager in an app. FastAPI is imported by those who have one: a script or a worker process starts without it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from otel_taskflow.manager.lifespan import Lifespan
from otel_taskflow.manager.settings import Settings
from otel_taskflow.manager.submission import Submission
from otel_taskflow.registry import Registry
from otel_taskflow.serialize import ArgumentCodec

if TYPE_CHECKING:
    from otel_taskflow.background.dependency import GetTasks


class InApp(Submission):
    """The part of the TaskManager that an app sees."""

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        codec_for: Callable[[Callable[..., object]], ArgumentCodec],
        lifespan: Lifespan,
    ) -> None:
        super().__init__(settings, registry, codec_for)
        self._lifespan = lifespan
        self._refuses = settings.on_store_error == "refuse"

    @cached_property
    def get_tasks(self) -> GetTasks:
        """FastAPI dependency, ``Depends(task_manager.get_tasks)``: the request's task list."""
        from otel_taskflow.background.dependency import make_dependency

        return make_dependency(self)

    @property
    def background_tasks(self) -> GetTasks:
        """The same dependency as ``get_tasks``, under fastapi-taskflow's other name."""
        return self.get_tasks

    def init_app(self, app: Any) -> None:
        """Start and stop with the app's lifespan, inside the user's own. A second call with the same app does nothing."""
        self._lifespan.attach(app)
        if self._refuses:
            from otel_taskflow.background.unavailable import answer_unavailable

            answer_unavailable(app)

    @property
    def is_in_app(self) -> bool:
        """True if ``init_app`` was called (``TaskAdmin`` does): the app's loop, or one of ours, runs what nobody waits for."""
        return self._lifespan.is_attached

    def install(self, app: Any) -> None:
        """Make the plain ``BackgroundTasks`` of this app's routes managed. Other apps are not touched."""
        from otel_taskflow.background.install import install

        install(app, self)

    def add_startup_check(self, check: Callable[[], None]) -> None:
        """Call ``check`` at each start-up of the app, before anything is started; what it raises stops the start-up."""
        self._lifespan.checks.append(check)

    def on_stop(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back, from any thread, when the process begins to stop. Returns a function that takes it back."""
        return self._lifespan.on_stop(callback)

    async def startup(self) -> None:
        """Start as the app's lifespan does, from a lifespan of your own; ``init_app`` and ``TaskAdmin`` do it by themselves."""
        await self._lifespan.enter()

    async def shutdown(self) -> None:
        """The counterpart of ``startup``: give running tasks their grace, write everything, end."""
        await self._lifespan.leave()
