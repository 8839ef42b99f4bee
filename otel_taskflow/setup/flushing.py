"""Sends what is buffered when an app shuts down.

A server that is ended by a signal may never run ``atexit``. The middleware sits outside of every lifespan, so it comes after
the TaskManager's last span, whichever of the two was added to the app first.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from otel_taskflow.engine.asyncio_tasks import on_own_thread

Flush = Callable[[], object]

_ends = frozenset({"lifespan.shutdown.complete", "lifespan.shutdown.failed"})


class FlushAtShutdown:
    """ASGI middleware that calls ``flush`` on a thread of its own before the server hears that the lifespan is over."""

    def __init__(self, app: Callable[..., Awaitable[None]], flush: Flush) -> None:
        self.app = app
        self._flush = flush

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Pass everything on; flush at the end of the lifespan."""
        await self.app(scope, receive, self._flushing(send) if scope["type"] == "lifespan" else send)

    def _flushing(self, send: Callable[[Any], Awaitable[None]]) -> Callable[[Any], Awaitable[None]]:
        async def flush_and_send(message: MutableMapping[str, Any]) -> None:
            if message["type"] in _ends:
                await on_own_thread(self._flush)
            await send(message)

        return flush_and_send


def add_flush_at_shutdown(app: Any, flush: Flush) -> None:
    """Add the middleware to a FastAPI or Starlette app that has not started."""
    app.add_middleware(FlushAtShutdown, flush=flush)
