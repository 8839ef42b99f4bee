"""Requests straight into an ASGI app: no socket, no client library, so that little but the app is measured."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI


async def post(app: FastAPI, path: str) -> None:
    """One request, to its very end, background tasks included. Raises AssertionError unless the answer is 200."""
    await _ask(app, _scope("POST", path))


async def get(app: FastAPI, path: str, token: str) -> int:
    """One question with an access token; how many bytes the answer has. Raises AssertionError unless it is 200."""
    return await _ask(app, _scope("GET", path, (b"authorization", f"Bearer {token}".encode())))


async def _ask(app: FastAPI, scope: dict[str, Any]) -> int:
    status: list[int] = []
    size = 0
    is_sent = False

    async def receive() -> dict[str, Any]:
        nonlocal is_sent
        if is_sent:
            await asyncio.Event().wait()
        is_sent = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        nonlocal size
        if message["type"] == "http.response.start":
            status.append(message["status"])
        size += len(message.get("body", b""))

    await app(scope, receive, send)  # type: ignore[arg-type] # a dict is a scope
    assert status == [200], status
    return size


def _scope(method: str, path: str, *headers: tuple[bytes, bytes]) -> dict[str, Any]:
    path, _, query = path.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", b"localhost"), *headers],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
    }


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Start and stop the app as a server does."""
    async with app.router.lifespan_context(app):
        yield
