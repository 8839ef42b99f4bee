"""Resources and scopes are stored once, however many messages they are around."""

from __future__ import annotations

import hashlib
import sqlite3

from otel_taskflow.spool.ledger import Ledger
from otel_taskflow.spool.messages import Source
from otel_taskflow.spool.statements import SQL

KEPT_UNUSED = 100
"""Sources that stay when nothing is stored: each start of a process has some of its own."""


class SourceKeys:
    """The keys of sources, remembered by the writer. What it remembers holds for one connection."""

    def __init__(self) -> None:
        self._connection: sqlite3.Connection | None = None
        self._generation = -1
        self._keys: dict[Source, int] = {}
        self._new: dict[Source, int] = {}
        """Stored by the transaction that runs. It may fail, so the next one looks for them again."""

    def begin(self, ledger: Ledger) -> None:
        """Before the first key of a transaction."""
        if self._connection is not ledger.connection or self._generation != ledger.sources_generation:
            self._keys.clear()
        self._new.clear()
        self._connection, self._generation = ledger.connection, ledger.sources_generation

    def key(self, source: Source) -> int:
        """The key of a source, which is stored if it is new."""
        found = self._keys.get(source) or self._new.get(source)
        return self._find_or_store(source) if found is None else found

    def _find_or_store(self, source: Source) -> int:
        assert self._connection is not None
        digest = _digest(source)
        row = self._connection.execute(SQL["key_of_source"], (digest,)).fetchone()
        if row is None:
            key = self._new[source] = int(self._connection.execute(SQL["add_source"], (digest, *source)).lastrowid or 0)
        else:
            key = self._keys[source] = int(row[0])
        return key


class SourcesByKey:
    """The other way, remembered by the reader: one object for each key."""

    def __init__(self) -> None:
        self._connection: sqlite3.Connection | None = None
        self._sources: dict[int, Source] = {}

    def get(self, connection: sqlite3.Connection, key: int) -> Source:
        """The source with this key. Within one file a key is never given twice."""
        if self._connection is not connection:
            self._connection, self._sources = connection, {}
        found = self._sources.get(key)
        if found is None:
            found = self._sources[key] = Source(*connection.execute(SQL["get_source"], (key,)).fetchone())
        return found


def delete_unused(ledger: Ledger) -> None:
    """Delete sources when no message needs one."""
    if any(queue.waiting.messages or queue.held.messages for queue in ledger.queues()):
        return
    (count,) = ledger.connection.execute(SQL["count_sources"]).fetchone()
    if count > KEPT_UNUSED:
        ledger.connection.execute(SQL["delete_sources"])
        ledger.connection.execute(SQL["next_generation"])


def _digest(source: Source) -> bytes:
    parts = (source.resource, source.resource_schema_url.encode(), source.scope, source.scope_schema_url.encode())
    return hashlib.sha256(b"".join(b"%d:%b" % (len(part), part) for part in parts)).digest()
