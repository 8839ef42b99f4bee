"""Keeps our own work out of the app's traces.

A server span is made by the app's instrumentation before a request reaches a sub-application mounted in it, and neither
FastAPI's own telemetry nor the contrib instrumentor can be told from there to drop it: both ask a setting of the app. So
``exclude_dashboard`` and ``excluded_urls`` give the app that setting. What happens inside the sub-application ``QuietApp``
keeps silent by itself.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, Context

Scope = MutableMapping[str, Any]
App = Callable[[Any, Any, Any], Awaitable[None]]

_quiet_context = Context({_SUPPRESS_INSTRUMENTATION_KEY: True})


@contextmanager
def quiet() -> Iterator[None]:
    """Inside, instrumentations of libraries (sqlite3, asyncpg, requests, httpx, ...) make no spans of our own I/O.

    The OpenTelemetry context is replaced by an empty one with the suppression keys, in this contextvars context only.
    """
    token = otel_context.attach(_quiet_context)
    try:
        yield
    finally:
        otel_context.detach(token)


def is_quiet() -> bool:
    """Whether this is inside ``quiet()``."""
    return otel_context.get_current() is _quiet_context


class QuietApp:
    """An ASGI application whose requests make no spans of their own: no operation spans of FastAPI, none of libraries.

    FastAPI keeps a request's telemetry in the OpenTelemetry context, which is another one inside. The server span that the
    app made before is beyond reach (see the module). ``receive`` and ``send`` belong to those outside and run in their
    context: what the app's instrumentation records in them belongs to its server span.
    """

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Run the application quietly."""
        outside = otel_context.get_current()
        with quiet():
            await self.app(scope, _run_in(outside, receive), _run_in(outside, send))


def _run_in(context: Context, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def call_outside(*message: Any) -> Any:
        token = otel_context.attach(context)
        try:
            return await call(*message)
        finally:
            otel_context.detach(token)

    return call_outside


def exclude_dashboard(path: str = "/tasks", also: Callable[[Scope], bool] | None = None) -> Callable[[Scope], bool]:
    """For FastAPI's own telemetry (0.142 and newer): ``FastAPI(telemetry={"exclude": exclude_dashboard("/tasks")})``.

    Args:
        path: The ``path`` of the TaskAdmin.
        also: Another rule that excludes.
    """
    below = f"{path.rstrip('/')}/"

    def exclude(scope: Scope) -> bool:
        asked = scope.get("path", "")
        root = scope.get("root_path", "")
        if root and asked.startswith(root):
            asked = asked[len(root) :]
        return f"{asked}/".startswith(below) or (also is not None and also(scope))

    return exclude


def excluded_urls(path: str = "/tasks") -> str:
    """For the contrib instrumentor: ``FastAPIInstrumentor.instrument_app(app, excluded_urls=excluded_urls("/tasks"))``.

    A regular expression that finds the TaskAdmin's ``path`` behind the host of a URL, whatever prefix a proxy adds.
    """
    return rf"^[^?]*{re.escape(path.rstrip('/'))}(?:/|\?|$)"
