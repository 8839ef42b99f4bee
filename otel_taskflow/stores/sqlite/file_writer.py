"""Writes the file."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from otel_taskflow.errors import StoreError
from otel_taskflow.ports import StoreWrite
from otel_taskflow.sqlite.aside import asides
from otel_taskflow.sqlite.checkpoint import WAL_LIMIT
from otel_taskflow.sqlite.database import FileDatabase
from otel_taskflow.sqlite.naming import is_full
from otel_taskflow.stores.sqlite.apply import ALONE, BESIDE_AN_APP
from otel_taskflow.stores.sqlite.ballast import Ballast
from otel_taskflow.stores.sqlite.schema import MIGRATIONS, label
from otel_taskflow.stores.sqlite.statements import SQL
from otel_taskflow.stores.sqlite.writer import SqlWriter


class SqliteWriter(SqlWriter):
    """Writes the file: in WAL mode, so that readers and the one writer of the moment do not wait for each other.

    A file that is damaged is moved to ``*.corrupt-<time>``, and a fresh one is used.

    Args:
        path: The file.
        syncs_commits: Whether each commit waits for the disk.
        is_alone: Whether this process does nothing else, so that nobody wants the interpreter lock.
    """

    def __init__(self, path: Path, *, syncs_commits: bool = False, is_alone: bool = False) -> None:
        self._path = path
        self._asides_before: set[Path] = set()
        self.replaced = 0
        """Damaged files that this process put aside. What they held is not known."""
        database = FileDatabase(
            path, label(str(path)), MIGRATIONS, self._on_replaced, syncs_commits=syncs_commits, wal_limit=WAL_LIMIT
        )
        super().__init__(database, ALONE if is_alone else BESIDE_AN_APP)
        self.suspect = database.suspect
        """What a reader calls that has met damage."""
        self.ballast = Ballast(path)
        self._file = database
        self._is_open = self._met_full_disk = False

    def open(self) -> None:
        """See StoreWriter."""
        self._asides_before = set(self._asides())
        super().open()
        self._is_open = True

    def put_aside(self) -> Path | None:
        """The damaged file that was put aside last since this was opened, by whatever process."""
        return max((each for each in self._asides() if each not in self._asides_before), default=None)

    def _asides(self) -> Sequence[Path]:
        try:
            return asides(self._path)
        except OSError:
            return []

    def _on_replaced(self, moved: Path, fresh: sqlite3.Connection) -> None:
        """Changes go on above all numbers that a reader of the old file has seen: microseconds are never passed by changes."""
        self.replaced += 1
        for name in ("last_change", "trimmed_to"):
            fresh.execute(SQL["set_counter"], (time.time_ns() // 1000, name))

    def close(self) -> None:
        """See StoreWriter."""
        super().close()
        if self._is_open:
            self._is_open = False
            self.ballast.remove()

    def write(self, write: StoreWrite) -> int:
        """See StoreWriter."""
        with self._noting_full_disk():
            return super().write(write)

    def prune(self, before: int, max_bytes: int, limit: int = 500) -> int:
        """See StoreWriter."""
        with self._noting_full_disk():
            return super().prune(before, max_bytes, limit)

    def maintain(self) -> None:
        """As that of other stores; and keep some room for the day when the disk is full."""
        super().maintain()
        self.ballast.make()

    def relieve(self, before: int, max_bytes: int) -> bool:
        """If the disk was full since the last call, use the room kept for that to ``prune`` before anything else is written.

        False if it was not.
        """
        if not self._met_full_disk:
            return False
        self._met_full_disk = False
        with self._file.alone():
            self.ballast.give_up()
            self._file.checkpoint()
            self.prune(before, max_bytes)
            self._file.checkpoint()
        return True

    @contextmanager
    def _noting_full_disk(self) -> Iterator[None]:
        try:
            yield
        except StoreError as error:
            self._met_full_disk = self._met_full_disk or is_full(error)
            raise
