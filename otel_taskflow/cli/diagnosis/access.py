"""What this user may do with a file, and what to do where that is too little."""

from __future__ import annotations

import os
from pathlib import Path

from otel_taskflow.sqlite.naming import is_damage

AS_THE_APP = "run this as the user of the app; if this is it, it must own the folder and all in it (chown -R)"
MOUNT_WRITABLE = "mount it writable, or choose another folder with dir= or OTEL_TASKFLOW_DIR"


def is_there(path: Path) -> bool:
    """Raises PermissionError where this user may not look; ``Path.exists`` says no there from Python 3.14 on."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def is_read_only(path: Path) -> bool:
    """Whether its file system is mounted so that nobody can write, whoever it is."""
    try:
        return bool(os.statvfs(path).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def remedy_of(error: Exception, path: Path, *, damaged: str) -> str:
    """For a database that cannot be read; empty if only the error itself knows."""
    if is_damage(error):
        return damaged
    if is_read_only(path):
        return MOUNT_WRITABLE
    may_use = os.access(path, os.R_OK | os.W_OK) and os.access(path.parent, os.W_OK | os.X_OK)
    return "" if may_use else AS_THE_APP
