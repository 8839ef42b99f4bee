"""A file that only takes room. It is given up when the disk is full: deleting takes room before it gives any."""

from __future__ import annotations

import logging
import os
import shutil
from contextlib import suppress
from pathlib import Path

SIZE = 8 * 1024**2
"""Bytes: a write-ahead log up to its limit, and what a step of deleting adds to it."""
PLENTY = 8 * SIZE
"""Bytes that must be free for the file to be made."""

_BLOCK = bytes(1024**2)
_logger = logging.getLogger("otel_taskflow")


class Ballast:
    """The file beside one store. The processes that share the store share it."""

    def __init__(self, store: Path) -> None:
        self._path = Path(f"{store}-ballast")
        self.is_given_up = False
        """Whether it had to go, and there was no room to make it again since."""

    def make(self) -> None:
        """Make it if it is missing and there is plenty of room; else this costs a stat() or two. Never raises."""
        with suppress(OSError):
            if self._is_whole() or (self._has_plenty() and self._take_room()):
                self.is_given_up = False

    def give_up(self) -> None:
        """Give its room to those who need it. Never raises."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
        if not self.is_given_up:
            _logger.warning("otel_taskflow: %s is given up: the disk is full, and deleting needs some room", self._path)
        self.is_given_up = True

    def remove(self) -> None:
        """Nobody here needs it any more. Where room is scarce it stays: who shares the store could not make it again."""
        with suppress(OSError):
            if self._has_plenty():
                self._path.unlink(missing_ok=True)

    def _is_whole(self) -> bool:
        try:
            return self._path.stat().st_size == SIZE
        except FileNotFoundError:
            return False

    def _has_plenty(self) -> bool:
        return shutil.disk_usage(self._path.parent).free >= PLENTY

    def _take_room(self) -> bool:
        descriptor = os.open(self._path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            _allocate(descriptor)
        except OSError:
            self._path.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)
        return True


def _allocate(descriptor: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, SIZE)
    else:
        for _ in range(SIZE // len(_BLOCK)):
            os.write(descriptor, _BLOCK)
