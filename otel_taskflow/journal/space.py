"""Disk space for files that are written through memory maps."""

from __future__ import annotations

import os


def take_space(descriptor: int, size: int) -> None:
    """Reserve the blocks of a new file now: a full disk must be an error here, not a SIGBUS in the middle of a line."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
        return
    zeros = bytes(min(size, 1024 * 1024))
    for _ in range(0, size, len(zeros)):
        os.write(descriptor, zeros)
    os.ftruncate(descriptor, size)
