"""A database that is used in whole calls, so that a call can be made once more where the file had to be replaced."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

from otel_taskflow.errors import TaskflowError
from otel_taskflow.sqlite.aside import Identity, identity, move_aside, opening
from otel_taskflow.sqlite.checkpoint import Checkpointer
from otel_taskflow.sqlite.connection import NO_TEMPORARY_FILES, connect, transaction
from otel_taskflow.sqlite.file import closing, prepare
from otel_taskflow.sqlite.lane import Lane, passage
from otel_taskflow.sqlite.migrate import Migration, migrate
from otel_taskflow.sqlite.naming import Label, is_damage, named_errors

WAL_LIMIT = 16 * 1024 * 1024
"""Bytes of the write-ahead log from which on it is moved. More than a store's: whoever writes here can wait for a sync."""
TRIES = 4
"""Calls of the same work: each one after the first met a file that was damaged, or replaced by another process."""

Result = TypeVar("Result")
Work = Callable[[sqlite3.Connection], Result]
Connect = Callable[[], sqlite3.Connection]
_logger = logging.getLogger("otel_taskflow")


class Database(Protocol):
    """Runs work on a connection. What the driver raises leaves as the label says."""

    def open(self) -> None:
        """Allow use. Idempotent."""

    def close(self) -> None:
        """End use, after the call that is running. Idempotent."""

    def write(self, work: Work[Result]) -> Result:
        """Run it inside a write transaction; maybe more than once, of which one counts."""

    def read(self, work: Work[Result]) -> Result:
        """Run it beside writers. Maybe more than once."""

    def version(self, connection: sqlite3.Connection) -> int:
        """Of what work that reads finds on this connection: another one when somebody has written since."""


class LaneDatabase:
    """A Database of one connection."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane

    def open(self) -> None:
        """See Database."""
        self._lane.open()

    def close(self) -> None:
        """See Database."""
        self._lane.close()

    def write(self, work: Work[Result]) -> Result:
        """See Database."""
        with self._lane.transaction() as connection:
            return work(connection)

    def read(self, work: Work[Result]) -> Result:
        """See Database."""
        with self._lane.use() as connection:
            return work(connection)

    def version(self, connection: sqlite3.Connection) -> int:
        """See Database. Nobody else writes here."""
        return connection.total_changes


class MemoryDatabase(LaneDatabase):
    """A Database that is gone with its process. A forked child starts with an empty one."""

    def __init__(self, label: Label, migrations: Sequence[Migration]) -> None:
        self._label, self._migrations = label, migrations
        super().__init__(Lane(label, self._create))

    def _create(self) -> sqlite3.Connection:
        """Made by its class, as connections to files are: instrumentations wrap ``sqlite3.connect``."""
        connection = sqlite3.Connection(":memory:", isolation_level=None, check_same_thread=False)
        connection.execute(NO_TEMPORARY_FILES)
        migrate(connection, self._label, self._migrations)
        return connection


class FileDatabase:
    """A Database in a file. One that is damaged is moved aside, and a fresh one takes its place, also while it is in use.

    ``on_replaced`` is told where the old one is, inside a transaction on the fresh one, in the process that replaced it.
    """

    def __init__(
        self,
        path: Path,
        label: Label,
        migrations: Sequence[Migration],
        on_replaced: Callable[[Path, sqlite3.Connection], None],
        *,
        syncs_commits: bool = False,
        wal_limit: int = WAL_LIMIT,
    ) -> None:
        self._path, self._label, self._migrations, self._on_replaced = path, label, migrations, on_replaced
        self._checkpointer = Checkpointer(path, wal_limit)
        self._writing = _Watched(
            path, label, lambda: connect(path, syncs_commits=syncs_commits), self._checkpointer.run_if_due
        )
        self._reading = _Watched(path, label, lambda: connect(path, read_only=True))

    def open(self) -> None:
        """See Database. Makes or migrates the file; one that is not ours or too new is refused and left as it is."""
        if self._writing.is_open:
            return
        self._prepare()
        self._writing.open()
        self._reading.open()
        self.write(lambda _: None)

    def close(self) -> None:
        """See Database."""
        self._reading.close()
        self._writing.close()

    def write(self, work: Work[Result]) -> Result:
        """See Database."""
        return self._run(self._writing, lambda: self._write(work))

    def read(self, work: Work[Result]) -> Result:
        """See Database."""
        return self._run(self._reading, lambda: self._read(work))

    def version(self, connection: sqlite3.Connection) -> int:
        """See Database. This connection does not write itself."""
        (version,) = connection.execute("PRAGMA data_version").fetchone()
        return int(version)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other threads from writing around several calls."""
        with self._writing.alone():
            yield

    def checkpoint(self) -> None:
        """Move the write-ahead log into the file now, as far as that can be done."""
        with self._writing.use() as connection:
            self._checkpointer.run(connection)

    def suspect(self, used: Identity, error: TaskflowError) -> None:
        """Who reads the file by a connection of its own met damage in it: put it aside, unless that was done."""
        if self._writing.is_open:
            self._replace(used, error)

    def _write(self, work: Work[Result]) -> Result:
        with self._writing.transaction() as connection:
            return work(connection)

    def _read(self, work: Work[Result]) -> Result:
        with self._reading.use() as connection:
            return work(connection)

    def _run(self, lane: _Watched, call: Callable[[], Result]) -> Result:
        """What was committed to a file that has lost its name meanwhile is not kept: then it is done again."""
        for _ in range(TRIES):
            failure = None
            with lane.alone():  # so that the identity is that of the connection that was used
                try:
                    result = call()
                    if lane.is_current():
                        return result
                except self._label.error as error:
                    failure = error
                used = lane.identity
            if failure is not None:
                self._recover(used, failure)
            self._reconnect()
            self._prepare()
        raise self._label.error(f"{self._label} is damaged, deleted or renamed again and again; see who does that")

    def _recover(self, used: Identity, failure: TaskflowError) -> None:
        """Raise the failure, unless the call can be made again."""
        if is_damage(failure):
            self._replace(used, failure)
        elif not self._writing.is_open or identity(self._path) is not None:
            if "disk I/O" in str(
                failure
            ):  # the connection is not trusted, but the file not given up: the disk may be full
                self._reconnect()
            raise failure

    def _reconnect(self) -> None:
        self._reading.reconnect()
        self._writing.reconnect()

    def _prepare(self) -> None:
        if self._path.is_dir():
            raise self._label.error(f"{self._label} is a folder, not a file; choose another {self._label.setting}")
        found = identity(self._path)
        try:
            with opening(self._path):
                found = identity(self._path)
                prepare(self._path, self._label, self._migrations)
        except self._label.error as error:
            if not is_damage(error):
                raise
            self._replace(found, error)

    def _replace(self, damaged: Identity, error: BaseException) -> None:
        """Unless another process was faster."""
        with opening(self._path), passage.use(), named_errors(self._label):
            if identity(self._path) != damaged:
                return
            moved = self._move_aside()
            say = "otel_taskflow: %s is damaged (%s): it was moved to %s, and a new one is used"
            _logger.error(say, self._label, error.__cause__, moved)
            prepare(self._path, self._label, self._migrations)
            with closing(connect(self._path)) as connection, transaction(connection):
                self._on_replaced(moved, connection)

    def _move_aside(self) -> Path:
        try:
            return move_aside(self._path)
        except OSError as error:
            raise self._label.error(
                f"{self._label} is damaged and cannot be moved away: {error.strerror}; give this user write access to its folder"
            ) from error


class _Watched(Lane):
    """A lane to a file that may be replaced."""

    def __init__(
        self,
        path: Path,
        label: Label,
        connect_to_file: Connect,
        after_commit: Callable[[sqlite3.Connection], None] = lambda _: None,
    ) -> None:
        super().__init__(label, self._connect, after_commit)
        self._path, self._connect_to_file = path, connect_to_file
        self.identity: Identity = None
        """Of the file that the connection is to."""

    def is_current(self) -> bool:
        """Whether what the connection wrote is in the file that has the name."""
        return self.identity == identity(self._path)

    def _connect(self) -> sqlite3.Connection:
        with opening(self._path):
            self.identity = identity(self._path)
            return self._connect_to_file()
