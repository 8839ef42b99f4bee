"""Who sends for a destination: the process that holds its lock. The others look again every second."""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from pathlib import Path

from otel_taskflow.journal.lock import FileLock, try_lock

PATIENCE = 1.0
"""Seconds between two looks at a lock that another process holds."""
CERTAIN = 2
"""Looks in a row that must find another receiver: a process that has just won has not noted its own yet."""


class Election:
    """The lock of one signal of a destination; free when the thread that sends it has left.

    Beside the lock is a note of its holder's: the fingerprint of the receiver that it sends to.

    Args:
        path: The lock's file; None for a spool that nobody else can see.
        fingerprint: Of the receiver that this process means.
    """

    def __init__(self, path: Path | None, patience: float = PATIENCE, fingerprint: str = "") -> None:
        self._path = path
        self.patience = patience
        self._fingerprint = fingerprint
        self._strange = 0
        self._guard = threading.Lock()
        self._lock: FileLock | None = None
        self._members = 0
        self._look_at = 0.0

    def enter(self) -> None:
        """A thread begins that may send."""
        with self._guard:
            self._members += 1

    def is_won(self) -> bool:
        """Whether this process may send. Raises OSError if the lock's file cannot be made."""
        with self._guard:
            return self._path is None or self._has(self._path)

    @property
    def is_lost(self) -> bool:
        """Whether another one sends, as far as the last look told."""
        return self._path is not None and self._lock is None

    @property
    def is_contested(self) -> bool:
        """Whether the process that sends means another receiver, as far as the last looks told."""
        return self._strange >= CERTAIN

    def leave(self) -> None:
        """The thread sends no more."""
        with self._guard:
            self._members -= 1
            if self._members == 0 and self._lock is not None:
                self._lock.release()
                self._lock = None
                self._look_at = 0.0

    def _has(self, path: Path) -> bool:
        if self._lock is None and time.monotonic() >= self._look_at:
            self._lock = try_lock(path)
            self._look_at = time.monotonic() + self.patience
            self._compare(path.with_suffix(".receiver"))
        return self._lock is not None

    def _compare(self, note: Path) -> None:
        if self._lock is not None:
            _write(note, self._fingerprint)
        theirs = _read(note)
        self._strange = self._strange + 1 if theirs not in ("", self._fingerprint) and self._lock is None else 0


def _read(note: Path) -> str:
    with suppress(OSError):
        return note.read_text(encoding="ascii")
    return ""


def _write(note: Path, fingerprint: str) -> None:
    """A full disk keeps nobody from sending."""
    with suppress(OSError):
        note.unlink(missing_ok=True)
        descriptor = os.open(note, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, fingerprint.encode())
        finally:
            os.close(descriptor)


__all__ = ["Election"]
