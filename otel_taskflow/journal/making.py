"""A new journal's folder."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from otel_taskflow.errors import JournalError
from otel_taskflow.journal.discard import discard
from otel_taskflow.journal.disk import Disk
from otel_taskflow.journal.lock import LOCK_NAME, FileLock, try_lock


def make_locked(parent: Path, journal_id: str, disk: Disk, undo: ExitStack) -> tuple[Path, FileLock]:
    """Make it under a name that nobody looks at and rename it when it is locked, so that nobody takes it for a dead one.

    Raises JournalError, OSError.
    """
    parent.mkdir(mode=0o700, exist_ok=True)
    draft, folder = parent / f".new-{journal_id}", parent / journal_id
    draft.mkdir(mode=0o700)
    undo.callback(discard, draft)
    lock = try_lock(draft / LOCK_NAME)
    if lock is None:
        raise JournalError(f"the lock file of the new journal {draft} is taken by another process")
    undo.callback(lock.release)
    draft.rename(folder)
    undo.callback(discard, folder)
    for each in (parent, parent.parent, parent.parent.parent):
        disk.sync_folder(each)
    return folder, lock
