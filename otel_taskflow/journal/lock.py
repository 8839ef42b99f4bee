"""Who lives: a lock on a file that nothing else opens. It is free when its process is dead, and no fork inherits it.

``fcntl.lockf`` locks belong to the process and go as soon as it closes *any* descriptor of the file, so a process must never
open a lock file of its own a second time: ``_held`` knows them.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sys
import threading
from pathlib import Path
from struct import Struct

LOCK_NAME = "lock"
"""Of a journal: its process lives."""
STORE_LOCK_NAME = "store-lock"
"""Of the process that writes the store for the one whose journal it is, if there is one."""

_TAKEN = (errno.EAGAIN, errno.EACCES)
_held: dict[str, int] = {}
_guard = threading.Lock()
"""Between looking at ``_held`` and adding to it nobody else in this process may open a lock file."""


class FileLock:
    """An exclusive lock held by this process."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._key = _key(path)
        self._descriptor = descriptor
        self._pid = os.getpid()
        _held[self._key] = descriptor

    def is_in(self, folder: Path | None) -> bool:
        """Whether this is the lock of the journal in ``folder`` still. In a forked child it is the parent's to say."""
        return folder is None or self._pid != os.getpid() or _key(folder / LOCK_NAME) == self._key

    def release(self) -> None:
        """Let it go. In a forked child nothing happens: the lock is the parent's."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor < 0 or self._pid != os.getpid():
            return
        with _guard:
            _held.pop(self._key, None)
            os.close(descriptor)


def try_lock(path: Path) -> FileLock | None:
    """Take the lock, or None if this or another process has it. Raises OSError where there is no file or no lock to be had."""
    with _guard:
        if is_own(path):
            return None
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if error.errno in _TAKEN:
                return None
            raise
        return FileLock(path, descriptor)


def is_own(path: Path) -> bool:
    """True if this process holds the lock."""
    return _key(path) in _held


def is_held(path: Path) -> bool:
    """True if some process holds the lock. Takes, makes and lets go nothing. Raises OSError if there is no file."""
    with _guard:
        if is_own(path):
            return True
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            asked = fcntl.fcntl(descriptor, fcntl.F_GETLK, _Flock.wanted())
        finally:
            os.close(descriptor)
        return _Flock.type_in(asked) != fcntl.F_UNLCK


class _Flock:
    """``struct flock`` of this platform: Linux has the type first, macOS and the BSDs last."""

    _is_linux = sys.platform.startswith("linux")
    _struct = Struct("@hhqqi0q" if _is_linux else "@qqihh")

    @classmethod
    def wanted(cls) -> bytes:
        """A write lock on the whole file."""
        kind, whence = fcntl.F_WRLCK, os.SEEK_SET
        return cls._struct.pack(*((kind, whence, 0, 0, 0) if cls._is_linux else (0, 0, 0, kind, whence)))

    @classmethod
    def type_in(cls, answer: bytes) -> int:
        """The type of the lock that is in the way, if any."""
        return int(cls._struct.unpack(answer)[0 if cls._is_linux else 3])


def _key(path: Path) -> str:
    """By inode where there is one: a journal's folder is renamed after its lock was taken."""
    try:
        found = path.stat()
    except OSError:
        return str(path)
    return f"{found.st_dev}:{found.st_ino}"


def _forget_all() -> None:
    """In a forked child: the locks are the parent's, and its other threads, which may have been in the guard, are gone."""
    global _guard  # noqa: PLW0603 - a lock cannot be made free again otherwise
    _guard = threading.Lock()
    _held.clear()


os.register_at_fork(after_in_child=_forget_all)
