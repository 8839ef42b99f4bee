"""Start and stop with the app.

The app's ``router.lifespan_context`` is wrapped: the user's start, ours, ..., our grace and stop, the user's stop. Servers wait
for open connections before they end the lifespan, so the termination signals are chained: held requests and live streams
end when the signal comes.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from time import monotonic
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakSet

from otel_taskflow.engine.asyncio_tasks import on_own_thread, running_loop
from otel_taskflow.errors import ConfigurationError
from otel_taskflow.manager.origin import Origin

if TYPE_CHECKING:
    from otel_taskflow.engine.loops import Loops
    from otel_taskflow.manager.task_manager import TaskManager

_logger = logging.getLogger("otel_taskflow")

SIGNALS = (signal.SIGTERM, signal.SIGINT)
ECHO = 1.0
"""Seconds in which a second signal is the same word once more: a terminal and systemd send it to all processes, and the
supervisor of several workers, when it hears it, to its workers again."""


class Lifespan:
    """Ties one manager to the apps it was given."""

    def __init__(self, manager: TaskManager) -> None:
        self.checks: list[Callable[[], None]] = []
        self._manager = manager
        self._apps: WeakSet[Any] = WeakSet()
        self._callbacks: dict[object, Callable[[], None]] = {}
        self._stopping = False
        self._heard_at: float | None = None
        """When the first signal came."""
        self._running = 0
        self._app_loop: asyncio.AbstractEventLoop | None = None
        self._loop_origin = Origin()
        self._has_atexit = False
        self._is_used = False
        """Whether a lifespan has begun, or it was said that none has."""

    @property
    def is_attached(self) -> bool:
        """True if an app was given."""
        return bool(self._apps)

    @property
    def app_loop(self) -> asyncio.AbstractEventLoop | None:
        """The app's loop from the begin of its lifespan on, before anything starts there; None outside of one.

        None in a forked child, too: a copy of the loop seems to run there, and nothing runs it.
        """
        return self._app_loop if self._loop_origin.is_here else None

    @property
    def is_stopping(self) -> bool:
        """True once the word went round that the process begins to stop."""
        return self._stopping

    def attach(self, app: Any) -> None:
        """Wrap the app's lifespan, once an app."""
        if not hasattr(getattr(app, "router", None), "lifespan_context"):
            raise ConfigurationError(f"init_app({app!r}) needs a FastAPI app")
        if app in self._apps:
            return
        self._apps.add(app)
        users = app.router.lifespan_context

        @asynccontextmanager
        async def lifespan(app: Any) -> AsyncIterator[Any]:
            # The user's start-up may add tasks before ours has its turn.
            self._is_used = True
            self._manager.reopen()
            with self._on_this_loop():
                async with users(app) as state:
                    await self.enter()
                    try:
                        yield state
                    finally:
                        await self.leave()

        app.router.lifespan_context = lifespan

    # In and out

    async def enter(self) -> None:
        """An app begins: check, start, and run tasks on this loop."""
        for check in self.checks:
            check()
        self._begin()
        self._is_used = True
        manager = self._manager
        if manager.settings.disabled:
            return
        with self._on_this_loop():
            await on_own_thread(manager.start)
        manager.runtime.loops.enter_app(asyncio.get_running_loop())
        if not self._running:
            self._signals = _chain_signals(self._hear_signal)
        self._running += 1

    @contextmanager
    def _on_this_loop(self) -> Iterator[None]:
        """What starts in here is told of the running loop; an app that fails to start leaves none behind."""
        self._app_loop, self._loop_origin = running_loop(), Origin()
        try:
            yield
        except BaseException:
            if not self._running:
                self._app_loop = None
            raise

    async def leave(self) -> None:
        """An app ends; with the last one the manager does."""
        if not self._running:
            return
        self._running -= 1
        if self._running:
            return
        self.announce_stop()
        self._app_loop = None
        try:
            # Not on the loop's threads: tasks may have filled them, and the end must come all the same.
            await on_own_thread(self._manager.close)
        finally:
            _restore_signals(self._signals)

    def started_lazily(self, loops: Loops) -> None:
        """The manager runs, perhaps without a lifespan, or anew within one: end it well when the interpreter exits."""
        self._begin()
        loops.enter_app(self.app_loop)
        if not self._has_atexit:
            self._has_atexit = True
            atexit.register(self._at_exit)

    def missed(self) -> None:
        """It was started by its first use: say so once, if an app's lifespan should have done it."""
        if self._is_used or not self._apps:
            return
        self._is_used = True
        _logger.warning(
            "otel_taskflow: the task manager %r starts at its first use, because the lifespan of its app has not run: the app is "
            "mounted in another one, its TestClient is used without `with`, or its server runs no lifespan. Until now it took up "
            "nothing that a dead process left, and at the end running tasks get no grace; run the lifespan, or call "
            "`await task_manager.startup()` and `shutdown()` in that of the outer app",
            self._manager.name,
        )

    def _at_exit(self) -> None:
        try:
            self._manager.close(grace=0.0)
        except Exception:
            _logger.debug("otel_taskflow: stopping at exit failed", exc_info=True)

    # The word that the end begins

    def _begin(self) -> None:
        self._stopping = False
        self._heard_at = None

    def _hear_signal(self) -> None:
        """The first signal begins the end; another cuts the grace short, if it is no echo of the first."""
        now = monotonic()
        if self._heard_at is None:
            self._heard_at = now
        elif now - self._heard_at >= ECHO:
            self._manager.hurry()
        self.announce_stop()

    def announce_stop(self, *_: Any) -> None:
        """The process begins to stop: held requests and streams end now. Safe in a signal handler; idempotent."""
        if self._stopping:
            return
        self._stopping = True
        for callback in list(self._callbacks.values()):
            callback()

    def on_stop(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Register a callback; returns what takes it back."""
        key = object()
        self._callbacks[key] = callback
        if self._stopping:
            callback()
        return lambda: self._forget(key)

    def _forget(self, key: object) -> None:
        self._callbacks.pop(key, None)


_Handler = Any


class _Chained(NamedTuple):
    ours: _Handler
    previous: _Handler


def _chain_signals(announce: Callable[[], None]) -> dict[signal.Signals, _Chained]:
    """Hear the termination signals before the server does; empty outside the main thread."""
    chained: dict[signal.Signals, _Chained] = {}
    if threading.current_thread() is not threading.main_thread():
        return chained
    for number in SIGNALS:
        handler = signal.getsignal(number)
        if callable(handler):
            chained[number] = _Chained(_chained(announce, handler), handler)
            signal.signal(number, chained[number].ours)
    return chained


def _chained(announce: Callable[[], None], handler: _Handler) -> Callable[[int, FrameType | None], None]:
    def on_signal(number: int, frame: FrameType | None) -> None:
        announce()
        handler(number, frame)

    return on_signal


def _restore_signals(chained: dict[signal.Signals, _Chained]) -> None:
    """Where somebody has put a handler on top of ours since, that one may call ours, and the chain stays as it is."""
    if threading.current_thread() is threading.main_thread():
        for number, handlers in chained.items():
            if signal.getsignal(number) is handlers.ours:
                signal.signal(number, handlers.previous)
