"""The folder of all journals of a host: who lives, and who has left something behind."""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from urllib.parse import quote

from otel_taskflow.errors import JournalError
from otel_taskflow.journal.discard import discard
from otel_taskflow.journal.lock import LOCK_NAME, STORE_LOCK_NAME, FileLock, is_held, is_own, try_lock
from otel_taskflow.journal.mark import read_end
from otel_taskflow.journal.once import read_or_make
from otel_taskflow.journal.reader import DeadReader
from otel_taskflow.journal.remedy import remedy
from otel_taskflow.ports import JournalHeader
from otel_taskflow.values.paths import shortened

NETWORK_FILE_SYSTEMS = frozenset(
    {
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "beegfs"),
        *("fuse.sshfs", "fuse.s3fs", "fuse.glusterfs", "fuse.rclone", "fuse.gcsfuse"),
    }
)
"""Memory maps and locks are not dependable there."""
_WORKER = ".worker"
STALE_SECONDS = 60.0
DEAD_NAME = "dead"
"""A file in the journal of a dead process that somebody takes over: its lock is not free, but nobody writes any more."""


def folder_id(root: Path) -> str:
    """What tells this folder from others that use the same store; the same for all its processes. Raises JournalError."""
    try:
        return read_or_make(root / "folder-id", lambda: uuid.uuid4().hex)
    except OSError as error:
        raise _unusable(root, error) from error


def new_journal_id(namespace: str, folder: str | None = None) -> str:
    """A new id: the namespace (name of the TaskManager), the id of the folder if there is one, and a UUID.

    A UUID, since every container is process 1. Neither name nor folder id holds a dot.
    """
    name = _quoted(namespace)
    return f"{name if folder is None else f'{name}.{folder}'}-{uuid.uuid4().hex}"


def new_worker_journal_id(journal_id: str) -> str:
    """A new id for a worker process, whose lines go into this journal of the process that it works for."""
    place, _, own = journal_id.rpartition("-")
    return f"{place}.{own}{_WORKER}-{uuid.uuid4().hex}"


def employer_of(journal_id: str) -> str | None:
    """The journal into which the lines of a worker process go; None for any other journal."""
    place = _place(journal_id)
    return "-".join(place.removesuffix(_WORKER).rsplit(".", 1)) if place.endswith(_WORKER) else None


def is_in_namespace(journal_id: str, namespace: str) -> bool:
    """True if a journal belongs to a TaskManager of this name, in whatever folder."""
    return _place(journal_id).partition(".")[0] == _quoted(namespace)


def is_neighbour(journal_id: str, other: str) -> bool:
    """True if both journals belong to TaskManagers of one name in one folder."""
    return _place(journal_id) == _place(other)


@cache
def _quoted(namespace: str) -> str:
    return shortened(quote(namespace, safe="").replace(".", "%2E"))


def _place(journal_id: str) -> str:
    return journal_id.rpartition("-")[0]


def open_folder(folder: Path) -> Path:
    """Make the folder of journal and store; returns it absolute. Raises JournalError.

    One that we make is 0700 and kept out of git; one that was there, perhaps with other things in it, is left as it is.
    """
    root = folder.absolute()
    trouble = network_trouble(root)
    if trouble is not None:
        raise JournalError(f"the folder {root} {trouble}; choose a local one with dir= or OTEL_TASKFLOW_DIR")
    try:
        if _make(root):
            (root / ".gitignore").write_text("*\n", encoding="ascii")
        elif not os.access(root, os.W_OK):
            raise PermissionError(13, "not writable", str(root))
    except OSError as error:
        raise _unusable(root, error) from error
    return root


def network_trouble(path: Path) -> str | None:
    """What is wrong with a place on a network file system; None for a local one. The place need not exist yet."""
    kind = file_system_of(path)
    if kind not in NETWORK_FILE_SYSTEMS:
        return None
    return f"is on a network file system ({kind}), where locks and memory maps are not dependable"


def _unusable(root: Path, error: OSError) -> JournalError:
    return JournalError(
        f"the folder {root} cannot be used: {error}; {remedy(error)} or choose another with dir= or OTEL_TASKFLOW_DIR"
    )


def _make(root: Path) -> bool:
    """True if it was not there."""
    root.parent.mkdir(parents=True, exist_ok=True)
    try:
        root.mkdir(mode=0o700)
    except FileExistsError:
        if root.is_dir():
            return False
        raise
    return True


def file_system_of(path: Path, mounts: Path = Path("/proc/self/mountinfo")) -> str | None:
    """Type of the file system that holds ``path``; None where the system does not say (macOS)."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return None
    best, kind = "", None
    target = str(path.resolve())
    for line in lines:
        left, _, right = line.partition(" - ")
        point = left.split(" ")[4].replace("\\040", " ")
        if _is_inside(target, point) and len(point) >= len(best):
            best, kind = point, right.split(" ")[0]
    return kind


def _is_inside(target: str, point: str) -> bool:
    return point in ("/", target) or target.startswith(point + "/")


OnError = Callable[[str, Exception], None]
"""Takes the id of a journal and what is wrong with it."""


def _raise(_: str, error: Exception) -> None:
    raise error


class Orphan:
    """The journal of a dead process, locked by us until it is removed or released."""

    def __init__(self, folder: Path, lock: FileLock) -> None:
        self.folder = folder
        self._lock = lock
        self.reader = DeadReader(folder)
        with suppress(OSError):
            (folder / DEAD_NAME).touch(0o600)

    @property
    def journal_id(self) -> str:
        """Id of the journal, which is the owner of its tasks."""
        return self.folder.name

    @property
    def header(self) -> JournalHeader:
        """Who wrote it; its name only, if not one header can be read."""
        return self.reader.header or JournalHeader(self.folder.name, 0, 0, "", "", "")

    @property
    def end(self) -> int:
        """Sequence number of its last event, or one before it if the end was not written."""
        try:
            written = read_end(self.folder)
        except OSError:
            written = 0
        return max(written, self.reader.last_segment)

    def remove(self) -> None:
        """Everything in it was consumed: delete it."""
        discard(self.folder)
        self._lock.release()

    def close(self) -> None:
        """Leave what was not removed for another round or another process."""
        self._lock.release()


def orphans(root: Path, namespace: str, on_error: OnError = _raise) -> Iterator[Orphan]:
    """The journals of dead processes with a TaskManager of this name, each locked when it is handed out.

    One that cannot be read goes to ``on_error`` and is passed over. That of a worker is left to the process that it worked
    for while that one lives.
    """
    for folder in _journal_folders(root):
        is_ours = is_in_namespace(folder.name, namespace) and not _is_employed(root, folder.name)
        lock = _lock_of(folder) if is_ours else None
        if lock is None:
            continue
        if not folder.exists() or _is_still_stored(folder):
            lock.release()
            continue
        try:
            orphan = Orphan(folder, lock)
        except (JournalError, OSError) as error:
            lock.release()
            on_error(folder.name, error)
            continue
        yield orphan


def _is_still_stored(folder: Path) -> bool:
    """Whether the process that wrote the store for the dead one is not gone yet. It goes when it sees that it is alone."""
    try:
        return is_held(folder / STORE_LOCK_NAME)
    except OSError:
        return False


def _is_employed(root: Path, journal_id: str) -> bool:
    employer = employer_of(journal_id)
    return employer is not None and is_alive(root, employer)


def all_journals(root: Path) -> list[str]:
    """Ids of the journals that are there, whoever wrote them."""
    return [folder.name for folder in _journal_folders(root)]


def ends_of_others(root: Path, namespace: str) -> dict[str, int]:
    """The end of each journal of a TaskManager of this name in other processes, living or dead, without touching a lock.

    The lines of worker processes come through the journals of those that they work for.
    """
    ends = {}
    for folder in _journal_folders(root):
        if employer_of(folder.name) is not None:
            continue
        is_of_another = not is_own(folder / LOCK_NAME) or (folder / DEAD_NAME).exists()
        if is_in_namespace(folder.name, namespace) and is_of_another:
            try:
                ends[folder.name] = read_end(folder)
            except OSError:
                continue
    return ends


def is_alive(root: Path, journal_id: str) -> bool:
    """True if the process of a journal lives."""
    folder = root / "journal" / journal_id
    if (folder / DEAD_NAME).exists():
        return False
    lock = _lock_of(folder)
    if lock is not None:
        lock.release()
    return lock is None and folder.is_dir()


def _journal_folders(root: Path) -> list[Path]:
    folder = root / "journal"
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries)
    except OSError:
        return []
    for name in names:
        if name.startswith("."):
            _remove_stale(folder / name)
    return [folder / name for name in names if not name.startswith(".")]


def _lock_of(folder: Path) -> FileLock | None:
    try:
        return try_lock(folder / LOCK_NAME)
    except OSError:  # no folder, or none that can be used
        return None


def _remove_stale(hidden: Path) -> None:
    """A process died between making its journal and naming it, or while a journal was removed."""
    try:
        if time.time() - hidden.stat().st_mtime > STALE_SECONDS:
            shutil.rmtree(hidden, ignore_errors=True)
    except OSError:
        return
