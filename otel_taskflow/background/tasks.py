"""The task list of one request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from enum import Enum
from functools import partial
from typing import Any

from fastapi import BackgroundTasks
from starlette.background import BackgroundTask

from otel_taskflow.background.ports import HeldTask, TaskSubmitter
from otel_taskflow.values.entropy import new_task_id

_OPTIONS = ("idempotency_key", "tags", "eager", "expires", "priority", "queue")


class Stage(Enum):
    """How far a request is."""

    OPEN = "open"
    """Its response has not left: what is added is held."""
    RELEASED = "released"
    """It leaves: what is added runs when it has left."""
    OVER = "over"
    """What is added starts at once."""
    FAILED = "failed"
    """What is added does not run."""


class _MixedTasks(BackgroundTasks):
    """A list with managed and plain tasks. Managed ones make their own spans: FastAPI's telemetry is shown the plain ones only."""

    async def __call__(self) -> None:
        for task in self.tasks:
            await (task if isinstance(task, _Place) else _alone(task))()
        # Managed tasks know their list; without this circle a request leaves nothing to the garbage collector.
        self.tasks.clear()


def _alone(task: BackgroundTask) -> BackgroundTasks:
    alone = BackgroundTasks()
    alone.tasks.append(task)
    return alone


class ManagedBackgroundTasks(_MixedTasks):
    """``BackgroundTasks`` whose tasks are seen: each ``add_task`` is journalled and returns the task's id.

    The tasks start after the response is sent, one after the other in the order added, mixed with plain ones on the same list.
    Tasks are held until ``release`` (the dependency does it when the response is about to leave) or until the list is
    called by the response that carries it.
    """

    def __init__(
        self,
        task_manager: TaskSubmitter,
        background_tasks: BackgroundTasks | None = None,
        *,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__()
        if background_tasks is not None:
            self.tasks = background_tasks.tasks
            if type(background_tasks) is BackgroundTasks:
                # The response will call that object, not this one.
                background_tasks.__class__ = _MixedTasks
        self.bind(task_manager, loop)

    def bind(self, task_manager: TaskSubmitter, loop: asyncio.AbstractEventLoop | None) -> None:
        """Tie the list to a manager and to the event loop of its request."""
        self._manager = task_manager
        self._loop = loop or _running_loop()
        self._held: list[HeldTask] = []
        self._stage = Stage.OPEN
        self._reason = ""

    @property
    def is_hermetic(self) -> bool:
        """True in hermetic tests."""
        return self._manager.is_hermetic

    def belongs_to(self, task_manager: TaskSubmitter) -> bool:
        """Whether this manager takes the tasks that are added here."""
        return self._manager is task_manager

    def add_task(self, func: Callable[..., Any] | None = None, /, *args: Any, **kwargs: Any) -> str:  # type: ignore[override]
        """Add a task; it is durable when this returns. Returns the task's id.

        Args:
            func: The function, decorated or not. As with ``BackgroundTasks``, ``func=`` will do; a function that has a parameter
                of that name comes first.
            *args: Its arguments.
            **kwargs: Its keyword arguments; ``tags`` (dict of texts), ``eager`` (start at once), ``expires`` (seconds in which
                it must start, else it is cancelled) and ``idempotency_key`` (the id of the task that already has this key
                is returned) are taken by ``add_task`` itself.

        Raises ConfigurationError for ``priority`` and ``queue``, which this release does not have, TypeError for a call
        that does not fit the function, TaskArgumentError with ``strict_args=True``, QueueFullError.
        """
        if func is None:
            func = kwargs.pop("func", None)
        options = {name: kwargs.pop(name) for name in _OPTIONS if name in kwargs} if kwargs else {}
        if self._manager.is_disabled:
            self._manager.check_options(options)
            super().add_task(func, *args, **kwargs)
            return new_task_id()
        task_id, held = self._manager.submit(func, args, kwargs, options, self._loop)
        if held is not None:
            self._held.append(held)
            self.tasks.append(_Place(self.hand_over if held.is_detached else partial(self.run_first_attempt, held)))
            if self._stage is not Stage.OPEN:
                self._settle([held])
        return task_id

    async def __call__(self) -> None:
        """Run them, as the response that carries them does when it has left."""
        try:
            await super().__call__()
        finally:
            self.start_rest()

    # What becomes of them. The stage comes first and each task is taken by one: another thread may be adding one just now.

    def release(self) -> None:
        """The response is about to leave: the held tasks will run from now on."""
        self._stage = Stage.RELEASED
        self._settle(list(self._held))

    def cancel(self, reason: str) -> None:
        """The request failed: the held tasks will not run, nor those that are added from now on."""
        self._stage, self._reason = Stage.FAILED, reason
        self._settle(list(self._held))

    def start_rest(self) -> None:
        """Start what no response has called, because the route returned a background task of its own, or it was added late."""
        if self._stage is not Stage.FAILED:
            self._stage = Stage.OVER
        self._settle(list(self._held))

    def _settle(self, tasks: Sequence[HeldTask]) -> None:
        """Do with these held tasks what the stage of the request says."""
        if not tasks:
            return
        if self._stage is Stage.FAILED:
            self._manager.cancel_held([held for held in tasks if self._take(held)], self._reason)
            return
        self._manager.release(tasks)
        for held in tasks:
            if (self._stage is Stage.OVER or held.is_detached) and self._take(held):
                held.start(None)

    def _take(self, held: HeldTask) -> bool:
        """False if it was taken before."""
        try:
            self._held.remove(held)
        except ValueError:
            return False
        return True

    async def hand_over(self) -> None:
        """Release what is held, and start what is detached, where no dependency has: the response has left."""
        if self._stage is Stage.OPEN:
            self.release()

    async def run_first_attempt(self, held: HeldTask) -> None:
        """Start a task and wait until its first attempt has ended or the process begins to stop."""
        await self.hand_over()
        self._take(held)
        loop = asyncio.get_running_loop()
        ended = loop.create_future()
        held.start(lambda: _resolve(loop, ended))
        if ended.done():
            return  # as an async task that waits for nothing
        forget = self._manager.on_stop(lambda: _resolve_soon(loop, ended))
        try:
            await ended
        finally:
            forget()


class _Place(BackgroundTask):
    """The place of a managed task on the request's list. Its own ``__call__``: no instrumentation wraps it as a plain one."""

    def __init__(self, run: Callable[..., Awaitable[None]]) -> None:
        # What the base class's constructor sets, without its search for what kind of callable this is.
        self.func = self.run = run
        self.is_async = True
        self.args = ()  # type: ignore[assignment] # the parameters of its own function, which has none
        self.kwargs = {}  # type: ignore[assignment]

    async def __call__(self) -> None:
        await self.run()


def _resolve(loop: asyncio.AbstractEventLoop, future: asyncio.Future[None]) -> None:
    if _running_loop() is loop:
        _set(future)
    else:
        _resolve_soon(loop, future)


def _resolve_soon(loop: asyncio.AbstractEventLoop, future: asyncio.Future[None]) -> None:
    """Also from a signal handler, which must wake the loop; a closed loop waits for nothing any more."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(_set, future)


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
