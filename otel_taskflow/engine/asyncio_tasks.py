"""What asyncio does not have as it is needed, and attempts as asyncio tasks, where the releases of Python differ."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import Context, copy_context
from typing import Any

from otel_taskflow.model import Interrupted, Outcome, Raised


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The loop that runs in this thread, or None."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


async def on_own_thread(call: Callable[[], object]) -> None:
    """Wait until a call has returned on a thread of its own. Raises what it raises.

    As ``asyncio.to_thread``, whose few threads may all be taken by the app.
    """
    loop, context = asyncio.get_running_loop(), copy_context()
    ended: asyncio.Future[None] = loop.create_future()

    def tell(error: BaseException | None) -> None:
        if ended.done():
            return  # nobody waits any more
        if error is None:
            ended.set_result(None)
        else:
            ended.set_exception(error)

    def work() -> None:
        error = None
        try:
            context.run(call)
        except BaseException as raised:  # noqa: BLE001 - it is raised where the call is waited for
            error = raised
        with suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(tell, error)

    threading.Thread(target=work, name="otel_taskflow-call", daemon=True).start()
    await ended


CreateTask = Callable[[asyncio.AbstractEventLoop, Coroutine[Any, Any, None], Context], "asyncio.Task[None]"]
"""Makes an asyncio task in a context."""

if sys.version_info >= (3, 12):

    def can_begin_at_once(loop: asyncio.AbstractEventLoop) -> bool:
        """Whether ``begin_task`` begins it before it returns."""
        return loop is running_loop() and loop.get_task_factory() is None

    def begin_task(
        loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, None], context: Context
    ) -> asyncio.Task[None]:
        """Make it and run it up to its first wait."""
        return asyncio.Task(coroutine, loop=loop, context=context, eager_start=True)

else:

    def can_begin_at_once(loop: asyncio.AbstractEventLoop) -> bool:
        """Not before Python 3.12."""
        return False

    def begin_task(
        loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, None], context: Context
    ) -> asyncio.Task[None]:
        """Make it."""
        return create_task(loop, coroutine, context)


if sys.version_info >= (3, 11):

    def create_task(
        loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, None], context: Context
    ) -> asyncio.Task[None]:
        """Make it; it begins at a later turn of the loop. A factory of the app's that takes no context, or fails, is left out."""
        try:
            return loop.create_task(coroutine, context=context)
        except Exception:
            if loop.get_task_factory() is None:
                raise
            return asyncio.Task(coroutine, loop=loop, context=context)

    def cancelled_by_others(error: asyncio.CancelledError) -> Outcome:
        """The loop is closing (somebody cancelled this asyncio task), or the function raised CancelledError itself."""
        current = asyncio.current_task()
        return Interrupted("loop_closed") if current is not None and current.cancelling() else Raised(error)

else:

    class _AttemptTask(asyncio.Task[None]):
        """Remembers that somebody cancelled it, which Python 3.10 does not."""

        was_cancelled = False

        def cancel(self, msg: Any = None) -> bool:
            self.was_cancelled = True
            return super().cancel(msg)

    def create_task(
        loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, None], context: Context
    ) -> asyncio.Task[None]:
        """As above."""
        return context.run(lambda: _AttemptTask(coroutine, loop=loop))

    def cancelled_by_others(error: asyncio.CancelledError) -> Outcome:
        """As above."""
        current = asyncio.current_task()
        was_cancelled = isinstance(current, _AttemptTask) and current.was_cancelled
        return Interrupted("loop_closed") if was_cancelled else Raised(error)
