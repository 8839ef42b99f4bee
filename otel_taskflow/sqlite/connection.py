"""Connections: how one is opened, and how it writes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BUSY_TIMEOUT = 30.0
"""Seconds that a writer waits for another one."""
NO_TEMPORARY_FILES = "PRAGMA temp_store = MEMORY"
"""For every connection: SQLite writes rows that it sorts or may have to undo into files of /var/tmp, and rows are private."""


def connect(
    path: Path, *, read_only: bool = False, syncs_commits: bool = False, timeout: float | None = None
) -> sqlite3.Connection:
    """A connection in autocommit mode that any thread may use, one at a time.

    In WAL mode a commit is safe against the death of the process; with ``syncs_commits`` also against a power cut.

    Made by its class: instrumentations wrap ``sqlite3.connect``, and our statements are not the app's to trace.
    """
    connection = sqlite3.Connection(
        file_uri(path, read_only=read_only),
        uri=True,
        timeout=BUSY_TIMEOUT if timeout is None else timeout,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=128,
    )
    try:
        _set_up(connection, read_only=read_only, syncs_commits=syncs_commits)
    except BaseException:
        connection.close()
        raise
    return connection


def _set_up(connection: sqlite3.Connection, *, read_only: bool, syncs_commits: bool) -> None:
    connection.execute(NO_TEMPORARY_FILES)
    if read_only:
        connection.execute("PRAGMA query_only = ON")
    else:
        connection.execute(f"PRAGMA synchronous = {'FULL' if syncs_commits else 'NORMAL'}")
        # What is deleted is overwritten where its page is written anyway. SQLite's own default is never, Debian's is always:
        # there every delete would write as much as it deletes.
        connection.execute("PRAGMA secure_delete = FAST").fetchall()
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("PRAGMA schema_version").fetchall()  # reads the file, so that its companions are opened now, too


def file_uri(path: Path, *, read_only: bool) -> str:
    """The file as a URI. It is never created here: a file made in passing would have open permissions."""
    return f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rw'}"


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """A write transaction. IMMEDIATE, because one that begins as a reader cannot wait for another writer."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
