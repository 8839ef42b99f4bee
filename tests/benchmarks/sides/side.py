"""What a package that runs tasks shows the benchmarks."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

from fastapi import FastAPI


class Side(Protocol):
    """An app with a route ``POST /task`` that adds one task, one ``POST /nothing``, and a way to know that all is done."""

    app: FastAPI
    calls: Calls

    async def settled(self, count: int) -> None:
        """Return when ``count`` tasks have run and are in the database, if there is one."""

    async def told(self) -> None:
        """Return when everybody else has been told of them, e.g. loggers."""


class Calls:
    """The task's function, of the kind asked for. It does nothing but count itself (and call ``on_start``).

    ``on_add`` is called by the routes right before they add a task.
    """

    def __init__(self) -> None:
        self.count = 0
        self.on_add: Callable[[], None] = _nothing
        self.on_start: Callable[[], None] | None = None

    def noop(self) -> Callable[..., Any]:
        """A plain function."""

        def noop() -> None:
            self.count += 1
            if self.on_start is not None:
                self.on_start()

        return noop

    def async_noop(self) -> Callable[..., Any]:
        """A coroutine function."""

        async def noop() -> None:
            self.count += 1
            if self.on_start is not None:
                self.on_start()

        return noop

    def of_kind(self, kind: str) -> Callable[..., Any]:
        """``sync`` or ``async``."""
        return self.async_noop() if kind == "async" else self.noop()


def _nothing() -> None:
    """Nobody listens."""


async def rows_reach(path: Path, query: str, count: int, seconds: float = 60.0) -> None:
    """Wait until the query's number is ``count``. Raises TimeoutError."""
    deadline = monotonic() + seconds
    connection = sqlite3.connect(path)
    try:
        while (found := connection.execute(query).fetchone()[0]) < count:
            if monotonic() > deadline:
                raise TimeoutError(f"{found} of {count} tasks are in {path}")
            await asyncio.sleep(0.01)
    finally:
        connection.close()
