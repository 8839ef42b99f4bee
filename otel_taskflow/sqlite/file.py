"""The file: made by us, for us alone, with the modes that must be set first, its schema brought up to date."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from otel_taskflow.sqlite.connection import BUSY_TIMEOUT, connect
from otel_taskflow.sqlite.lane import passage
from otel_taskflow.sqlite.migrate import Migration, check, migrate
from otel_taskflow.sqlite.naming import Label, named_errors


def prepare(path: Path, label: Label, migrations: Sequence[Migration]) -> None:
    """Make the file if there is none, and its schema. A file that is not ours or too new is refused and left as it is."""
    with passage.use(), named_errors(label):
        _create(path, label)
        _look(path, label, migrations)
        with closing(connect(path)) as connection:
            _set_up(connection)
            migrate(connection, label, migrations)


def _look(path: Path, label: Label, migrations: Sequence[Migration]) -> None:
    """Read-only, so that a file that is not ours is left as it is.

    The first transaction of a process that was killed in it has to be rolled back before anybody can read.
    """
    try:
        with closing(connect(path, read_only=True)) as connection:
            check(connection, label, migrations)
    except sqlite3.OperationalError as error:
        if "readonly" not in str(error):
            raise
        with closing(connect(path)) as connection:
            check(connection, label, migrations)


@contextlib.contextmanager
def closing(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """A connection for a moment."""
    try:
        yield connection
    finally:
        connection.close()


def _create(path: Path, label: Label) -> None:
    """Made by us, so that it is ours alone to read; SQLite gives its companions the same permissions."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except OSError as error:
        raise label.error(
            f"{label} cannot be created: {error.strerror}; give this user write access to the folder, "
            f"or choose another {label.setting}"
        ) from error


def _set_up(connection: sqlite3.Connection) -> None:
    """What the file itself remembers. The vacuum mode counts only before the first page is written."""
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    deadline = time.monotonic() + BUSY_TIMEOUT
    # SQLite does not wait here, and several processes may make a new file at once.
    while not _set_wal_mode(connection, is_last_try=time.monotonic() > deadline):
        time.sleep(0.01)


def _set_wal_mode(connection: sqlite3.Connection, *, is_last_try: bool) -> bool:
    try:
        connection.execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError as error:
        if is_last_try or "locked" not in str(error):
            raise
        return False
    return True
