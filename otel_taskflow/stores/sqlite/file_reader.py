"""Reads the file through aiosqlite, on a read-only connection of its own."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import aiosqlite

from otel_taskflow.errors import StoreError
from otel_taskflow.sqlite.aside import Identity, identity, opening
from otel_taskflow.sqlite.connection import connect
from otel_taskflow.sqlite.naming import is_damage, named_errors
from otel_taskflow.stores.sqlite.reader import Parameters, SqlReader
from otel_taskflow.stores.sqlite.schema import label

_inherited: list[aiosqlite.Connection] = []
"""Of the parent process: its thread does not live here, and closing would drop the parent's locks."""


class SqliteReader(SqlReader):
    """One connection, opened by the first question. For one event loop.

    ``on_damage`` is told of damage, on another thread; it may have another file take the place of the damaged one.
    """

    def __init__(self, path: Path, on_damage: Callable[[Identity, StoreError], None] = lambda *_: None) -> None:
        self._on_damage = on_damage
        self._path, self._label = path, label(str(path))
        self._connection: aiosqlite.Connection | None = None
        self._identity: Identity = None
        """Of the file that the connection is to."""
        self._pid = os.getpid()
        self._opening = asyncio.Lock()

    async def fetch(self, statement: str, parameters: Parameters = ()) -> Sequence[Sequence[Any]]:
        """See SqlReader."""
        try:
            return await self._fetch(statement, parameters)
        except StoreError as error:
            used = self._identity
            if not is_damage(error):
                raise
            await asyncio.to_thread(self._on_damage, used, error)
            if identity(self._path) == used:
                raise
        return await self._fetch(statement, parameters)

    async def _fetch(self, statement: str, parameters: Parameters) -> Sequence[Sequence[Any]]:
        with named_errors(self._label):
            connection = await self._ready_connection()
            return list(await connection.execute_fetchall(statement, parameters))

    async def aclose(self) -> None:
        """See StoreReader."""
        connection, self._connection = self._connection, None
        if connection is not None and self._pid == os.getpid():
            await connection.close()

    async def _ready_connection(self) -> aiosqlite.Connection:
        self._leave_parent()
        if self._connection is None or self._identity != identity(self._path):
            return await self._connect()
        return self._connection

    async def _connect(self) -> aiosqlite.Connection:
        """Open the file, or the one that has taken its place."""
        async with self._opening:
            if self._connection is None or self._identity != identity(self._path):
                await self.aclose()
                connector = _Connector(self._path)
                try:
                    self._connection = await _connected(connector)
                finally:
                    self._identity = connector.identity
            return self._connection

    def _leave_parent(self) -> None:
        if self._pid != os.getpid():
            if self._connection is not None:
                _inherited.append(self._connection)
            self._connection, self._pid, self._opening = None, os.getpid(), asyncio.Lock()


class _Connector:
    """Opens the file, while nobody replaces it. Not on the thread of aiosqlite, which does not end if that fails."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.identity: Identity = None
        """Of the file that was opened."""

    def __call__(self) -> sqlite3.Connection:
        """The connection. Raises StoreError if there is no file."""
        if identity(self._path.parent) is None:
            raise _is_not_there(self._path)
        with opening(self._path):
            self.identity = identity(self._path)
            if self.identity is None:
                raise _is_not_there(self._path)
            return connect(self._path, read_only=True, timeout=5.0)


def _is_not_there(path: Path) -> StoreError:
    return StoreError(f"store {path} is not there; it is made when the manager starts")


async def _connected(connector: _Connector) -> aiosqlite.Connection:
    opened = await asyncio.to_thread(connector)
    connection = aiosqlite.Connection(lambda: opened, iter_chunk_size=64)
    _make_daemon(connection)
    return await connection


def _make_daemon(connection: aiosqlite.Connection) -> None:
    """A reader that nobody closed must not keep the interpreter alive. Until 0.21 the connection is its thread."""
    thread = connection if isinstance(connection, threading.Thread) else vars(connection)["_thread"]
    thread.daemon = True
