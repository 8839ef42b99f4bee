"""A thread and event loop of an observer's own, on which its methods are called: it may hang without holding up anybody."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from otel_taskflow.context.current import enter_attempt
from otel_taskflow.observers.base import DONE

AppLoop = Callable[[], asyncio.AbstractEventLoop | None]
Call = Callable[[], Any]


class ObserverThread:
    """Runs coroutines of ours on a daemon thread, begun at the first one. Daemon, so that a hanging call does not hold up exit."""

    def __init__(self, name: str, app_loop: AppLoop) -> None:
        self._name = name
        self._app_loop = app_loop
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()

    def submit(self, work: Callable[[], Awaitable[None]], over: threading.Event) -> None:
        """Start work on the thread; ``over`` is set when it has ended, however it ended."""

        async def run() -> None:
            # Whoever feeds us may be inside a task; what the observer logs must not go to that task's record.
            enter_attempt(None)
            try:
                await work()
            finally:
                over.set()

        with self._lock:
            asyncio.run_coroutine_threadsafe(run(), self._running_loop())

    async def call(self, method: Call, limit: float) -> None:
        """Call a method, await what it returns (on the app's loop, if that is wanted). Raises what it raises."""
        result = method()
        if result is None or result is DONE or not inspect.isawaitable(result):
            return
        app_loop = self._app_loop()
        if app_loop is None or app_loop.is_closed():
            error = await asyncio.wait_for(_error_of(result), limit)
        else:
            there = asyncio.run_coroutine_threadsafe(_error_of(result), app_loop)
            error = await asyncio.wait_for(asyncio.wrap_future(there), limit)
        if error is not None:
            raise error

    def stop(self) -> None:
        """End loop and thread. A thread that hangs in a call ends when the call does."""
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is not None:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(loop.stop)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=_run, args=(self._loop,), name=self._name, daemon=True).start()
        return self._loop


async def _error_of(result: Awaitable[Any]) -> BaseException | None:
    """What would end the loop, if it left a task of it, is handed back instead."""
    enter_attempt(None)
    try:
        await result
    except (SystemExit, KeyboardInterrupt) as error:
        return error
    return None


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        _cancel_rest(loop)
    finally:
        loop.close()


def _cancel_rest(loop: asyncio.AbstractEventLoop) -> None:
    """What the observer left running is cancelled, and given one turn of the loop to see it."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.wait(tasks, timeout=1.0))
    loop.run_until_complete(loop.shutdown_asyncgens())


__all__ = ["AppLoop", "ObserverThread"]
