"""Who sends for a destination: the process that holds its lock. The others look again every second."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from otel_taskflow.journal.lock import FileLock, try_lock

PATIENCE = 1.0
"""Seconds between two looks at a lock that another process holds."""


class Election:
    """The lock of one destination, shared by its threads; free when the last of them has left.

    Args:
        path: The lock's file; None for a spool that nobody else can see.
    """

    def __init__(self, path: Path | None, patience: float = PATIENCE) -> None:
        self._path = path
        self.patience = patience
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
            self._look_at = time.monotonic() + self.patience
            self._lock = try_lock(path)
        return self._lock is not None


__all__ = ["Election"]
