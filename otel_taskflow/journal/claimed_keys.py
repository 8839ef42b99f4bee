"""Idempotency keys of tasks that the store may not have yet, so that the other processes of this folder know of them at once."""

from __future__ import annotations

import errno
import fcntl
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from time import monotonic, sleep
from typing import NamedTuple

from otel_taskflow.errors import JournalError

FOLDER = "keys"
PATIENCE = 1.0
"""Seconds in which another process must have come to an end with a key: it takes it a fraction of a millisecond."""

_STEP = 0.0005
_MOST = 16 * 1024 * 1024
_MANY = 1000
_FEW = 64
"""Claims in a file up to which nobody looks whether their processes are gone."""


class Claim(NamedTuple):
    """Which task has a key, and in which journal it lies. A line of a file."""

    key: str
    journal_id: str
    task_id: str


class ClaimedKeys:
    """The claims of the processes of a folder, in a few files, each of which one process has at a time.

    A claim is written before its task, and left out when its process next writes the file and the store has the task. One of a
    process that died in between holds for as long as its journal is there: by then the store has the task too, or there is none.

    Args:
        root: The folder of the manager.
        journal_id: Of this process's journal.
        place: What tells the store from others that are used with the same folder.
        stored: Tells the last event of this process's journal that the store has.
    """

    def __init__(self, root: Path, journal_id: str, place: str, stored: Callable[[], int]) -> None:
        self._folder = root / FOLDER
        self._journals = root / "journal"
        self._journal_id = journal_id
        self._place = place
        self._stored = stored
        self._files: dict[str, int] = {}
        """Descriptors, by what the keys in the file begin with."""
        self._turns = 0
        self._guard = threading.Lock()
        """Of both: a descriptor is closed when nobody uses it, for its number may be another file's at once."""
        self.is_closed = False
        self._events: dict[str, int] = {}
        """The last event that tells of each task with a claim of this process, while the store may not have it."""
        self._look_at = _MANY
        """How many of them there are when those are looked for that the store has."""

    @contextmanager
    def turn(self, name: str, key: str) -> Iterator[ClaimedKey]:
        """Nobody else of this folder looks at this key or takes it meanwhile.

        Raises JournalError if another process does not come to an end with it, OSError.
        """
        text = "\0".join((self._place, name, key))
        digest = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        with self._open(digest) as file:
            self._lock(file)
            try:
                yield ClaimedKey(self, file, digest)
            finally:
                fcntl.flock(file, fcntl.LOCK_UN)

    def close(self) -> None:
        """End use; turns that have begun come to their end."""
        with self._guard:
            self.is_closed = True
            self._close_unused()

    @contextmanager
    def _open(self, digest: str) -> Iterator[int]:
        with self._guard:
            if self.is_closed:
                raise OSError(errno.EBADF, "the manager has been stopped", str(self._folder))
            file = self._file_of(digest)
            self._turns += 1
        try:
            yield file
        finally:
            with self._guard:
                self._turns -= 1
                self._close_unused()

    def _close_unused(self) -> None:
        while self.is_closed and not self._turns and self._files:
            os.close(self._files.popitem()[1])

    def _file_of(self, digest: str) -> int:
        """One in sixteen keys waits for the same process."""
        file = self._files.get(digest[0])
        if file is None:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            file = os.open(self._folder / digest[0], os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._files[digest[0]] = file
        return file

    def _lock(self, file: int) -> None:
        # Not ``lockf``: two managers of one process are to wait for each other, and a fork may inherit the descriptor.
        deadline = monotonic() + PATIENCE
        while True:
            with suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            if monotonic() > deadline:
                raise JournalError(f"another process has had {self._folder} for {PATIENCE:g} s; see whether it hangs")
            sleep(_STEP)

    # What is in a file, while it is ours

    def claims_in(self, file: int) -> list[Claim]:
        """All of them, the oldest first."""
        lines = os.pread(file, _MOST, 0).decode("utf-8", "replace").split("\n")
        return [Claim(*parts) for line in lines if len(parts := line.split(" ")) == len(Claim._fields)]

    def write(self, file: int, claims: list[Claim]) -> None:
        """Those that may still be needed. Raises OSError."""
        data = "".join(f"{' '.join(claim)}\n" for claim in self._needed(claims)).encode()
        os.pwrite(file, data, 0)
        os.ftruncate(file, len(data))

    def _needed(self, claims: list[Claim]) -> list[Claim]:
        if len(claims) > _FEW:
            living = {each for each in {claim.journal_id for claim in claims} if self._is_kept(each)}
            claims = [claim for claim in claims if claim.journal_id in living]
        return [claim for claim in claims if claim.journal_id != self._journal_id or self._is_missing(claim.task_id)]

    def _is_missing(self, task_id: str) -> bool:
        """Whether the store may not have a task of this process yet."""
        return self._events.get(task_id, 0) > self._stored()

    def _is_kept(self, journal_id: str) -> bool:
        """Whether not all of a journal is in the store."""
        return (self._journals / journal_id).is_dir()

    def counts(self, claim: Claim) -> bool:
        """Whether the store may not have its task yet. What became of one of this process is for that to say."""
        if claim.journal_id == self._journal_id:
            return self._is_missing(claim.task_id)
        return self._is_kept(claim.journal_id)

    def own(self, digest: str, task_id: str) -> Claim:
        """A claim of this process for a task that will be journalled."""
        if len(self._events) >= self._look_at:
            stored = self._stored()
            self._events = {each: seq for each, seq in self._events.items() if seq > stored}
            self._look_at = max(_MANY, 2 * len(self._events))
        self._events[task_id] = sys.maxsize
        return Claim(digest, self._journal_id, task_id)

    def keep(self, task_id: str, seq: int) -> None:
        """The task was journalled, as the event ``seq`` or before."""
        self._events[task_id] = seq

    def forget(self, task_id: str) -> None:
        """There will be no such task."""
        self._events.pop(task_id, None)


class ClaimedKey:
    """A key while it is this process's turn."""

    def __init__(self, keys: ClaimedKeys, file: int, digest: str) -> None:
        self._keys, self._file, self._digest = keys, file, digest
        self._task_id: str | None = None

    def last_claim(self) -> Claim | None:
        """The newest, if the store may not have its task yet."""
        claims = [claim for claim in self._keys.claims_in(self._file) if claim.key == self._digest]
        return claims[-1] if claims and self._keys.counts(claims[-1]) else None

    def claim(self, task_id: str) -> None:
        """A task that is about to be journalled has the key. Raises OSError."""
        own = self._keys.own(self._digest, task_id)
        try:
            self._keys.write(self._file, [*self._others(), own])
        except OSError:
            self._keys.forget(task_id)
            raise
        self._task_id = task_id

    def keep(self, seq: int) -> None:
        """The task was journalled, as the event ``seq`` or before."""
        if self._task_id is not None:
            self._keys.keep(self._task_id, seq)

    def withdraw(self) -> None:
        """There will be no such task. What cannot be written now is left out by the next who writes."""
        if self._task_id is not None:
            self._keys.forget(self._task_id)
            with suppress(OSError):
                self._keys.write(self._file, self._others())

    def _others(self) -> list[Claim]:
        """Of other keys."""
        return [claim for claim in self._keys.claims_in(self._file) if claim.key != self._digest]
