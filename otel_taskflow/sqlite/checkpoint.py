"""Moves the write-ahead log into the database, in one process at a time.

``wal_autocheckpoint`` is off: before SQLite 3.51.3 a bug can lose pages when several connections reset the log at once,
and a checkpoint that waits for readers holds up every writer. This one never waits.
"""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from otel_taskflow.sqlite.connection import BUSY_TIMEOUT

WAL_LIMIT = 4 * 1024 * 1024
"""Bytes of the write-ahead log from which on it is moved, unless its owner says otherwise."""

_in_this_process = threading.Lock()
_logger = logging.getLogger("otel_taskflow")


class Checkpointer:
    """For one file. ``run_if_due`` after a write costs one stat() until the log is long."""

    def __init__(self, path: Path, limit: int = WAL_LIMIT) -> None:
        self._wal = Path(f"{path}-wal")
        self._lock_file = Path(f"{path}-checkpoint.lock")
        self._limit = self._due_at = limit

    def run_if_due(self, connection: sqlite3.Connection) -> None:
        """Checkpoint if the log has grown by the limit since the last try."""
        size = self._size()
        if size < self._limit:
            self._due_at = self._limit
        elif size >= self._due_at:
            self._due_at = size + self._limit
            self.run(connection)

    def run(self, connection: sqlite3.Connection) -> None:
        """Checkpoint as much as can be done without waiting, unless somebody else is about it."""
        with self._elected() as is_elected:
            if is_elected:
                _checkpoint(connection)

    def _size(self) -> int:
        try:
            return self._wal.stat().st_size
        except OSError:
            return 0

    @contextmanager
    def _elected(self) -> Iterator[bool]:
        if not _in_this_process.acquire(blocking=False):
            yield False
            return
        try:
            with self._locked_file() as is_locked:
                yield is_locked
        finally:
            _in_this_process.release()

    @contextmanager
    def _locked_file(self) -> Iterator[bool]:
        """False if somebody has it, or if this disk has no room or no locks: a checkpoint is never worth an error."""
        with ExitStack() as held:
            try:
                descriptor = os.open(self._lock_file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
                held.callback(os.close, descriptor)
                fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                is_locked = True
            except OSError:
                is_locked = False
            yield is_locked


def _checkpoint(connection: sqlite3.Connection) -> None:
    """What cannot be moved now stays in the log, where it is as safe."""
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except sqlite3.OperationalError as error:
        _logger.info("otel_taskflow: the write-ahead log could not be moved, will try again: %s", error)
    finally:
        connection.execute(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT * 1000)}")
