"""The readers that a manager hands out: each belongs to the event loop that it was asked for on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent import futures

from otel_taskflow.engine.asyncio_tasks import running_loop
from otel_taskflow.ports import StoreReader
from otel_taskflow.telemetry import quiet
from otel_taskflow.values.text import as_text

_logger = logging.getLogger("otel_taskflow")

PATIENCE = 1.0
"""Seconds that the end of a manager waits for readers: a loop may be held by something else."""


class Readers:
    """One reader an event loop."""

    def __init__(self) -> None:
        self._of: dict[asyncio.AbstractEventLoop, StoreReader] = {}

    def here(self, make: Callable[[], StoreReader]) -> StoreReader:
        """That of the running event loop."""
        loop = asyncio.get_running_loop()
        reader = self._of.get(loop)
        if reader is None:
            for closed in [each for each in self._of if each.is_closed()]:
                del self._of[closed]
            reader = self._of[loop] = make()
        return reader

    def clear(self) -> None:
        """Forget them: they are to what was before, perhaps in a parent process."""
        self._of.clear()

    def close(self) -> None:
        """Forget them, and close those whose loop runs. That of the loop that this is called on is closed a moment later."""
        taken, self._of = self._of, {}
        here = running_loop()
        closing = {loop: _close_on(loop, reader) for loop, reader in taken.items() if loop.is_running()}
        futures.wait([each for loop, each in closing.items() if each is not None and loop is not here], PATIENCE)


def _close_on(loop: asyncio.AbstractEventLoop, reader: StoreReader) -> futures.Future[None] | None:
    closing = _close(reader)
    try:
        return asyncio.run_coroutine_threadsafe(closing, loop)
    except RuntimeError:  # the loop has been closed at this moment
        closing.close()
        return None


async def _close(reader: StoreReader) -> None:
    try:
        with quiet():
            await reader.aclose()
    except Exception as error:  # noqa: BLE001 - a store of the user's own may raise anything, and the end goes on
        _logger.warning("otel_taskflow: a reader of the store could not be closed: %s", as_text(error))
