"""What an app says when it starts: where tasks are kept, and the link that lets the first person in."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI

from otel_taskflow.errors import TaskflowError
from otel_taskflow.health import FAILED
from otel_taskflow.web.backend import AdminBackend

_logger = logging.getLogger("otel_taskflow")


def print_link_at_start(app: FastAPI, path: str, backend: AdminBackend) -> None:
    """Write the link with the access token to stderr at each start-up of the app, and where tasks are kept.

    Not to a logger: logs are kept, shipped and read by more people than may open the dashboard. The host is left
    out: an app does not know under which one it is reached.
    """
    lifespan = app.router.lifespan_context

    @asynccontextmanager
    async def greeting(app: Any) -> AsyncIterator[Any]:
        async with lifespan(app) as state:
            if not backend.trusted_client:
                _say(_where_tasks_are(backend))
                await _print_link(f"{app.root_path}{path}", backend)
            yield state

    app.router.lifespan_context = greeting


def _where_tasks_are(backend: AdminBackend) -> str:
    """Nowhere, if they are refused."""
    failed = [each.why for each in backend.health().parts if each.part == "store" and each.state == FAILED]
    return failed[0] if failed else f"tasks are kept in {backend.kept_in}"


async def _print_link(page: str, backend: AdminBackend) -> None:
    """Without a token the dashboard stays closed, and the app starts all the same."""
    try:
        token = await asyncio.to_thread(backend.access_token)
    except (TaskflowError, OSError) as error:
        _logger.warning("otel_taskflow: the dashboard stays closed: %s", error)
        return
    _say(f"open the dashboard at http://<this server>{page}?token={quote(token)}")


def _say(words: str) -> None:
    sys.stderr.write(f"otel_taskflow: {words}\n")
