"""A file as a release to come may make it: everywhere a column more, a table and indexes more, and this release may use it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from otel_taskflow.sqlite.migrate import Migration, migrate
from otel_taskflow.stores.sqlite.schema import MIGRATIONS, label
from otel_taskflow.stores.sqlite.store import SqliteStore

TABLES = ("tasks", "attempts", "logs", "rollups", "offsets", "commands", "counters", "changes")
_ADDITIONS: Sequence[str] = [
    *(f"ALTER TABLE {table} ADD COLUMN of_the_future TEXT DEFAULT 'nothing'" for table in TABLES),
    *(f"CREATE INDEX {table}_of_the_future ON {table} (of_the_future)" for table in TABLES),
    "CREATE TABLE schedules (schedule_key INTEGER PRIMARY KEY, name TEXT NOT NULL)",
]
NEXT = Migration(MIGRATIONS[-1].version + 1, 1, _ADDITIONS)


def made_by_the_next_release(path: Path) -> SqliteStore:
    """A store of this release on an empty file of the next one."""
    store = SqliteStore(path)
    store.writer.open()
    store.writer.close()
    connection = sqlite3.connect(path, isolation_level=None)
    migrate(connection, label(str(path)), [*MIGRATIONS, NEXT])
    connection.close()
    return store
