"""Which event loop an async task runs on. A loop is never kept longer than it runs."""

from __future__ import annotations

import asyncio
import threading
from weakref import WeakSet

from otel_taskflow.engine.lag import LoopLag

LEFT_FOR = 1.0
"""Seconds after which a loop in which attempts were cancelled would be closed."""
END_LIMIT = 1.0
"""Seconds that cancelled asyncio tasks have to end before our own loop is closed."""


class Loops:
    """The app's loop while its lifespan runs, else a loop of our own on a daemon thread."""

    def __init__(
        self, name: str, *, is_measured: bool = True, app_loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        self.lag = LoopLag()
        """Of the app's loop from ``enter_app`` on, if it is measured."""
        self._is_measured = is_measured
        self._name = name
        self._app_loop = app_loop
        self._left: WeakSet[asyncio.AbstractEventLoop] = WeakSet()
        """Loops that are about to close: they still run, but nothing that begins there now comes to its end."""
        self._own: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()

    @property
    def app_loop(self) -> asyncio.AbstractEventLoop | None:
        """The app's loop, if its lifespan is running."""
        loop = self._app_loop
        return loop if loop is not None and loop.is_running() else None

    def enter_app(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """The app's lifespan runs on this loop from now on; None: it ended."""
        self._app_loop = loop
        if self._is_measured:
            self.lag.follow(loop)

    def leave(self, loop: asyncio.AbstractEventLoop) -> None:
        """Somebody who is not of us has cancelled an attempt there, as ``asyncio.run`` does with all before it closes its loop.

        For the thread of that loop. If it runs on, it was that attempt alone.
        """
        self._left.add(loop)
        loop.call_later(LEFT_FOR, self._left.discard, loop)

    def choose(self, preferred: asyncio.AbstractEventLoop | None) -> asyncio.AbstractEventLoop:
        """``preferred`` if it runs and stays, else the app's loop, else our own."""
        if preferred is not None and preferred.is_running() and preferred not in self._left:
            return preferred
        return self.app_loop or self._own_loop()

    def close(self) -> None:
        """End our own loop, and measure the app's no more."""
        self.lag.follow(None)
        with self._lock:
            loop, self._own = self._own, None
        if loop is not None:
            loop.call_soon_threadsafe(loop.stop)

    def _own_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._own is None:
                self._own = self._start_loop()
            return self._own

    def _start_loop(self) -> asyncio.AbstractEventLoop:
        """Raises RuntimeError if the system has no thread left for this process."""
        loop, started = asyncio.new_event_loop(), threading.Event()
        loop.call_soon(started.set)
        try:
            threading.Thread(target=_run, args=(loop,), name=self._name, daemon=True).start()
        except RuntimeError:
            loop.close()
            raise
        started.wait()
        return loop


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.run_until_complete(_cancel_all())
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


async def _cancel_all() -> None:
    """What tasks have left running here ends with the loop, as with ``asyncio.run``; what will not end is not waited for."""
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    if rest:
        await asyncio.wait(rest, timeout=END_LIMIT)
