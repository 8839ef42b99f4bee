"""The default store: one SQLite file that the processes of a host share."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from otel_taskflow.stores.sqlite.file_reader import SqliteReader
from otel_taskflow.stores.sqlite.file_writer import SqliteWriter


class SqliteStore:
    """Store over one file. Readers need the file, which the writer's ``open`` makes.

    A symbolic link means the file that it leads to, whether that is there yet or not.
    With ``syncs_commits`` a commit is safe against a power cut too, at the price of a sync.
    """

    is_persistent = True

    def __init__(self, path: Path, *, syncs_commits: bool = False) -> None:
        self.path = _followed(path)
        self._wal = Path(f"{self.path}-wal")
        self.syncs_commits = syncs_commits
        self.location = str(self.path)
        self._writer = SqliteWriter(self.path, syncs_commits=syncs_commits)

    @property
    def writer(self) -> SqliteWriter:
        """See Store."""
        return self._writer

    def reader(self) -> SqliteReader:
        """See Store."""
        return SqliteReader(self.path, self._writer.suspect)

    def put_aside(self) -> Path | None:
        """The damaged file that was put aside last since the writer was opened, by whatever process."""
        return self._writer.put_aside()

    @property
    def shortage(self) -> str:
        """What is short, for people; empty if nothing is."""
        if self._writer.ballast.is_given_up:
            return "the disk was full, and there is too little room yet to be ready for that again"
        return ""

    def size(self) -> int | None:
        """Bytes of the file and its write-ahead log; None if it is not there."""
        try:
            return self.path.stat().st_size + _size(self._wal)
        except OSError:
            return None


def _followed(path: Path) -> Path:
    """SQLite names what lies beside a database after the file itself, and so must we."""
    with suppress(OSError):
        if path.is_symlink():
            return Path(os.path.realpath(path))
    return path


def _size(path: Path) -> int:
    """Bytes; 0 if there is no such file."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
