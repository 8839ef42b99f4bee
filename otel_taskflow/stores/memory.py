"""A store that is gone with its process: a private SQLite database in memory, so that it behaves as the file does."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from typing import Any

from otel_taskflow.sqlite.connection import NO_TEMPORARY_FILES
from otel_taskflow.sqlite.database import LaneDatabase
from otel_taskflow.sqlite.lane import Lane
from otel_taskflow.sqlite.migrate import migrate
from otel_taskflow.stores.sqlite.reader import Parameters, SqlReader
from otel_taskflow.stores.sqlite.schema import MIGRATIONS, label
from otel_taskflow.stores.sqlite.writer import SqlWriter


class MemoryStore:
    """Store without a file. A forked child starts with an empty one."""

    is_persistent = False
    location = "memory"

    def __init__(self) -> None:
        self._lane = Lane(label(self.location), _create)
        self._writer = SqlWriter(LaneDatabase(self._lane))

    @property
    def writer(self) -> SqlWriter:
        """See Store. Closing it drops all rows."""
        return self._writer

    def reader(self) -> MemoryReader:
        """See Store."""
        return MemoryReader(self._lane)


class MemoryReader(SqlReader):
    """Asks at once if the connection is free, else on a thread: the loop never waits for a slice being written."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane

    async def fetch(self, statement: str, parameters: Parameters = ()) -> Sequence[Sequence[Any]]:
        """See SqlReader."""
        with self._lane.try_use() as connection:
            if connection is not None:
                return connection.execute(statement, parameters).fetchall()
        return await asyncio.to_thread(self._fetch, statement, parameters)

    async def aclose(self) -> None:
        """See StoreReader. The connection is the writer's."""

    def _fetch(self, statement: str, parameters: Parameters) -> Sequence[Sequence[Any]]:
        with self._lane.use() as connection:
            return connection.execute(statement, parameters).fetchall()


def _create() -> sqlite3.Connection:
    """Made by its class, as the file's connections are: instrumentations wrap ``sqlite3.connect``."""
    connection = sqlite3.Connection(":memory:", isolation_level=None, check_same_thread=False, cached_statements=128)
    connection.execute(NO_TEMPORARY_FILES)
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    migrate(connection, label(MemoryStore.location), MIGRATIONS)
    return connection
