"""A damaged file goes aside. Nobody opens it meanwhile, and whoever has it open can tell that it has gone."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

KEPT_ASIDE = 3
"""Damaged files that are kept beside a database: a disk that breaks one after the other must not be filled with them."""
PATIENCE = 10.0
"""Seconds that an opening waits for another process that is opening or replacing the file."""

Identity = tuple[int, int] | None

_one_at_a_time = threading.Lock()
"""A lock on a file belongs to the process, and goes when the process closes any descriptor of that file."""


def identity(path: Path) -> Identity:
    """Which file has this name now; None if none has."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


@contextlib.contextmanager
def opening(path: Path) -> Iterator[None]:
    """Keep other processes from opening or replacing the file: a new one must not meet the companions of the old."""
    with _one_at_a_time, contextlib.ExitStack() as held:
        with contextlib.suppress(OSError):  # a disk without room or locks is no reason not to open
            descriptor = os.open(f"{path}-opening.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            held.callback(os.close, descriptor)
            _wait_for_lock(descriptor)
        yield


def move_aside(path: Path) -> Path:
    """Give the file and its companions another name; return it. For use while ``opening``. Raises OSError."""
    aside = path.with_name(f"{path.name}.corrupt-{datetime.now(timezone.utc):%Y%m%dT%H%M%S%fZ}")
    path.rename(aside)
    for companion in ("-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + companion).rename(aside.with_name(aside.name + companion))
    for old in asides(path)[:-KEPT_ASIDE]:
        for companion in ("", "-wal", "-shm"):
            old.with_name(old.name + companion).unlink(missing_ok=True)
    return aside


def asides(path: Path) -> list[Path]:
    """The damaged files that were moved aside, oldest first."""
    prefix = f"{path.name}.corrupt-"
    with os.scandir(path.parent) as entries:
        names = sorted(entry.name for entry in entries if entry.name.startswith(prefix))
    return [path.with_name(name) for name in names if not name.endswith(("-wal", "-shm"))]


def _wait_for_lock(descriptor: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while not _try_lock(descriptor, is_last_try=time.monotonic() > deadline):
        time.sleep(0.01)


def _try_lock(descriptor: int, *, is_last_try: bool) -> bool:
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if is_last_try:
            raise
        return False
    return True


def _forget_parent() -> None:
    global _one_at_a_time  # noqa: PLW0603 - a lock cannot be made free again otherwise
    _one_at_a_time = threading.Lock()


os.register_at_fork(after_in_child=_forget_parent)
