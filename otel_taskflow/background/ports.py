"""What a request's task list needs of a TaskManager."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol


class HeldTask(Protocol):
    """A task that waits for its response to leave."""

    @property
    def task_id(self) -> str:
        """Id of the task."""

    @property
    def is_detached(self) -> bool:
        """True if the request does not wait for it."""

    def start(self, on_first_attempt: Callable[[], None] | None) -> None:
        """Start it; the callback comes, from any thread, when the request need not wait any longer."""


class TaskSubmitter(Protocol):
    """What a request's task list needs of the TaskManager."""

    def submit(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        options: Mapping[str, Any],
        loop: asyncio.AbstractEventLoop | None,
    ) -> tuple[str, HeldTask | None]:
        """Journal a task. Returns its id, and the task if it waits for the response: also one that has the key given already."""

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Raise ConfigurationError for an option of ``add_task`` that cannot be used."""

    def release(self, tasks: Sequence[HeldTask]) -> None:
        """Journal that the response is about to leave."""

    def cancel_held(self, tasks: Sequence[HeldTask], reason: str) -> None:
        """The request failed: these tasks will not run."""

    @property
    def is_disabled(self) -> bool:
        """True if tasks are to be plain background tasks."""

    @property
    def is_hermetic(self) -> bool:
        """True in hermetic tests, where a request ends when all it started has ended."""

    def on_stop(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back, from any thread or a signal handler, when the process begins to stop; at once if it has.

        Returns what takes it back.
        """
