"""Files that several processes append to: rotated by us under a lock, or by somebody else."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol


class LineFile(Protocol):
    """Where lines go."""

    def append(self, lines: Sequence[bytes]) -> None:
        """Append complete lines, each with its end. Raises OSError."""

    def close(self) -> None:
        """Close the file; it is opened again by the next append."""


class WatchedFile:
    """A file that something else may move away at any time (logrotate): a new one is begun then."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1
        self._is_torn = False

    def append(self, lines: Sequence[bytes]) -> None:
        """Append all lines in one write."""
        self.reopen_if_moved()
        self.write(b"".join(lines))

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def size(self) -> int:
        """Bytes in the open file."""
        return os.fstat(self._fd).st_size

    def reopen_if_moved(self) -> None:
        """Make sure that the open file is the one at the path."""
        if self._fd >= 0 and not self._is_at_path():
            self.close()
        if self._fd < 0:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # The mode is left to the umask: this is the user's file, made for other programs to read.
            self._fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
            self.look_for_torn_line()

    def look_for_torn_line(self) -> None:
        """Look whether the last line has no end. Without a lock that may be a line which another process is just writing."""
        self._is_torn = self.size() > 0 and _last_byte(self._path) != b"\n"

    def write(self, data: bytes) -> None:
        """Write to the open file. After a line that a full disk cut off, the next begins on a line of its own."""
        rest = memoryview(b"\n" + data if self._is_torn else data)
        while rest:
            written = os.write(self._fd, rest)
            self._is_torn = written < len(rest)
            rest = rest[written:]

    def _is_at_path(self) -> bool:
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return False
        ours = os.fstat(self._fd)
        return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)


class RotatedFile:
    """A file that is renamed to ``path.1`` before it passes ``max_bytes``; ``path.1`` becomes ``path.2``, and so on.

    Every append holds a lock on ``path.lock``: no line is written to a file that another process has just moved away,
    and only one process rotates. Either limit 0 means that the file is never rotated.
    """

    def __init__(self, path: Path, max_bytes: int, backup_count: int) -> None:
        self._path = path
        self._max_bytes = max_bytes if backup_count else 0
        self._backup_count = backup_count
        self._file = WatchedFile(path)

    def append(self, lines: Sequence[bytes]) -> None:
        """Append the lines in as few writes as the size allows."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with locked(self._path.with_name(f"{self._path.name}.lock")):
            self._file.reopen_if_moved()
            self._file.look_for_torn_line()
            rest = list(lines)
            while rest:
                fitting = self._fitting(rest)
                if fitting:
                    self._file.write(b"".join(rest[:fitting]))
                    rest = rest[fitting:]
                else:
                    self._rotate()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _fitting(self, lines: Sequence[bytes]) -> int:
        """How many lines still go into the open file; a line longer than a whole file gets one of its own."""
        if not self._max_bytes:
            return len(lines)
        size = self._file.size()
        room = self._max_bytes - size
        for count, line in enumerate(lines):
            room -= len(line)
            if room < 0:
                return count or int(size == 0)
        return len(lines)

    def _rotate(self) -> None:
        for number in range(self._backup_count, 0, -1):
            source = self._backup(number - 1)
            if source.exists():
                source.replace(self._backup(number))
        self._file.reopen_if_moved()

    def _backup(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}") if number else self._path


def _last_byte(path: Path) -> bytes:
    """The last byte of a file; a line end for one that cannot be read: it may be there to be written only."""
    try:
        with path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1)
    except OSError:
        return b"\n"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock that excludes every other holder, in this process and in others.

    The file is opened anew each time and unlocked by hand: a child forked meanwhile does not keep the lock.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(fd, fcntl.LOCK_UN)
    finally:
        os.close(fd)


__all__ = ["LineFile", "RotatedFile", "WatchedFile", "locked"]
