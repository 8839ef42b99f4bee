"""A store that stands still, so that a test sees what is known without it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from otel_taskflow import TaskManager


@contextmanager
def nothing_stored(folder: Path) -> Iterator[None]:
    """As long as this lasts nobody can write the store."""
    with closing(sqlite3.connect(folder / "tasks.db", isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield


def all_stored(manager: TaskManager) -> None:
    """Wait until the store has what was journalled so far."""
    assert asyncio.run(manager.level(10)) == 0
