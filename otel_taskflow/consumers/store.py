"""The consumer that writes rows: a slice and its offset in one transaction."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from time import monotonic, time_ns
from typing import NamedTuple

from otel_taskflow.consumers.loading import loading
from otel_taskflow.consumers.pace import FOLDED, paced
from otel_taskflow.consumers.slices import part_after
from otel_taskflow.errors import StoreError, StoreReplacedError
from otel_taskflow.lifecycle.fold import Entry, Fold, LineFold
from otel_taskflow.model import AttemptRow, TaskRow
from otel_taskflow.ports import JournalSlice, StoreWrite, StoreWriter

PRUNE_EVERY = 60.0
"""Seconds between two looks for tasks past their retention."""
CHUNKS_AT_ONCE = 20

Earlier = Callable[[int, int], Iterable[JournalSlice]]
"""Slices of the events behind the first number, up to the second."""

_paced = partial(paced, stretch=FOLDED)
_logger = logging.getLogger("otel_taskflow")


class Retention(NamedTuple):
    """How long finished tasks are kept, and how large the store may become."""

    max_age_seconds: float
    max_bytes: int


class Lent(NamedTuple):
    """What somebody needs who goes on with writing a journal's events."""

    after: int
    """Sequence number of the last event that the store has."""
    unfinished: Mapping[str, Entry]


class StoreConsumer:
    """Writes one journal's slices. An unavailable store raises (the data waits); refused data is narrowed to the record.

    ``lines_only``: all events but the lines are written already. ``quarantined`` counts records that the store refused, by
    kind; it may be shared. ``earlier`` has once more what the journal still holds, for a store that had to be replaced.
    """

    name = "store"

    def __init__(
        self,
        writer: StoreWriter,
        journal_id: str,
        *,
        lines_only: bool = False,
        quarantined: Counter[str] | None = None,
        earlier: Earlier | None = None,
    ) -> None:
        self._writer = writer
        self._journal_id = journal_id
        self._load = loading(writer)
        self._fold: Fold | LineFold = LineFold(_paced) if lines_only else Fold(journal_id, self._load, _paced)
        self._earlier = earlier
        self._restoring: Restoring | None = None
        self._lock = threading.RLock()
        self._written = 0
        """Last event of the last slice that the store has taken."""
        self.unrestored = 0
        """Events that were in a store that had to be replaced, and that the journal did not have any more."""
        self.quarantined: Counter[str] = Counter() if quarantined is None else quarantined
        self._done = 0
        """Last event that was written or left out. A slice that comes again may begin before it, if its first half went well."""
        self._recall: Callable[[], None] | None = None
        """Given while somebody else writes."""
        self._is_unsure = False
        """Whether somebody else may have written more than is known here."""

    def consume(self, piece: JournalSlice) -> None:
        """Write a slice. Raises StoreError while the store is not to be had."""
        with self._lock:
            if self._is_unsure:
                self._find_place()
            if piece.last > self._done:
                self._write(part_after(piece, self._done))
                self._done = piece.last

    def restore(self) -> None:
        """Look whether the store was replaced while there was nothing to write. For any thread. Raises StoreError."""
        if self._earlier is None or not self._lock.acquire(blocking=False):
            return  # who is writing will be told
        try:
            written = self._written  # before the store is asked: whoever else writes goes on meanwhile
            if self._is_restoring or self._writer.offset(self._journal_id) < written:
                self._restore() if self._recall is None else self._recall()
        finally:
            self._lock.release()

    def _write(self, piece: JournalSlice) -> None:
        if self._is_restoring:
            self._restore()
        try:
            write = self._fold.fold(piece)
            self._writer.write(write if self._restoring is None else self._restoring.before(write))
            self._written, self._restoring = piece.last, None
        except StoreReplacedError:
            self._fold.undo()
            self._begin_to_restore()
            raise
        except StoreError:
            self._fold.undo()
            raise
        except Exception as error:  # noqa: BLE001 - whatever a store raises for data it refuses, the rest goes on
            self._fold.undo()
            self._narrow_down(piece, error)

    def close(self, timeout: float) -> None:
        """Nothing is buffered here."""

    def _narrow_down(self, piece: JournalSlice, error: Exception) -> None:
        if len(piece.events) > 1:
            for half in halves(piece):
                self.consume(half)
            return
        for seq, event in piece.events:
            kind = type(event).__name__
            self.quarantined[kind] += 1
            _logger.error("otel_taskflow: the store refuses event %d (%s), it is left out: %s", seq, kind, error)

    # While somebody else writes

    @property
    def is_lent(self) -> bool:
        """Whether somebody else writes now."""
        return self._recall is not None

    @property
    def can_be_lent(self) -> bool:
        """Whether the store has every event up to the last, so that anybody could go on."""
        return isinstance(self._fold, Fold) and self._restoring is None and 0 < self._done == self._written

    def lend(self, recall: Callable[[], None]) -> Lent:
        """Somebody else writes from here on, until ``take_back``. ``recall`` is called when that has to be soon."""
        with self._lock:
            unfinished = self._fold.unfinished if isinstance(self._fold, Fold) else {}
            self._recall, self._fold = recall, Fold(self._journal_id, self._load, _paced)
            return Lent(self._done, unfinished)

    def written_elsewhere(self, last: int) -> None:
        """The store has the events up to this one."""
        self._done = self._written = last

    def take_back(self, unfinished: Mapping[str, Entry] | None) -> None:
        """Nobody else writes any more. Without ``unfinished`` these tasks are looked up in the store, as they are needed."""
        with self._lock:
            self._recall, self._is_unsure = None, True
            self._fold = Fold(self._journal_id, self._load, _paced, unfinished)

    def _find_place(self) -> None:
        """See what the store has. Raises StoreError."""
        offset = self._writer.offset(self._journal_id)
        if offset < self._written:
            self._begin_to_restore()
        else:
            self._done = self._written = offset
        self._is_unsure = False

    # A store that was replaced

    @property
    def _is_restoring(self) -> bool:
        return self._restoring is not None and not self._restoring.is_read

    def _begin_to_restore(self) -> None:
        """What is unfinished is known here, whatever the journal still has."""
        if self._earlier is not None and isinstance(self._fold, Fold):
            self._restoring = Restoring(self._fold.unfinished)

    def _restore(self) -> None:
        """Write again what the journal has up to the last event that was taken. What fails half way is gone on with later."""
        if not self._is_restoring:
            self._begin_to_restore()
        restoring, earlier = self._restoring, self._earlier
        if restoring is None or earlier is None:
            return
        lost = self.unrestored
        fold, at = Fold(self._journal_id, self._load, _paced), self._writer.offset(self._journal_id)
        for piece in earlier(at, self._done):
            self._write_again(fold, piece, restoring)
            self.unrestored += piece.last - at - len(piece.events)
            at = piece.last
        self.unrestored += self._done - at
        self._fold = Fold(self._journal_id, self._load, _paced, restoring.unfinished)
        self._written = self._writer.offset(self._journal_id)
        restoring.is_read = True
        if restoring.is_written:  # else its rows go with the next slice
            self._restoring = None
        _logger.warning(
            "otel_taskflow: another store has taken the place of the one that was written to: what the journal still had "
            "of it is written again, %d event(s) are lost",
            self.unrestored - lost,
        )

    def _write_again(self, fold: Fold, piece: JournalSlice, restoring: Restoring) -> None:
        """What was refused then is refused again; it was counted then."""
        write, is_last = fold.fold(piece), piece.last >= self._done
        try:
            self._writer.write(restoring.after(write) if is_last else write)
            restoring.is_written = is_last
        except StoreError:
            raise
        except Exception:  # noqa: BLE001 - as in _write
            fold.undo()
            for half in halves(piece) if len(piece.events) > 1 else ():
                self._write_again(fold, half, restoring)


class Restoring:
    """What goes into a store that has lost it: the rows of unfinished tasks, as they were after the last event taken."""

    def __init__(self, unfinished: Mapping[str, Entry]) -> None:
        self.unfinished = unfinished
        self.is_read = False
        """Whether all that the journal has was written again."""
        self.is_written = False
        """Whether these rows were."""

    def before(self, write: StoreWrite) -> StoreWrite:
        """With these rows, where the write has none."""
        return _joined(write, self._tasks(), self._attempts(), write.tasks, write.attempts)

    def after(self, write: StoreWrite) -> StoreWrite:
        """With these rows in the place of the write's."""
        return _joined(write, write.tasks, write.attempts, self._tasks(), self._attempts())

    def _tasks(self) -> list[TaskRow]:
        return [entry.task for entry in self.unfinished.values()]

    def _attempts(self) -> list[AttemptRow]:
        return [entry.attempt for entry in self.unfinished.values() if entry.attempt is not None]


def _joined(
    write: StoreWrite,
    tasks: Sequence[TaskRow],
    attempts: Sequence[AttemptRow],
    newer_tasks: Sequence[TaskRow],
    newer_attempts: Sequence[AttemptRow],
) -> StoreWrite:
    by_id = {row.task_id: row for row in [*tasks, *newer_tasks]}
    by_number = {(row.task_id, row.attempt): row for row in [*attempts, *newer_attempts]}
    return write._replace(tasks=list(by_id.values()), attempts=list(by_number.values()))


def halves(piece: JournalSlice) -> tuple[JournalSlice, JournalSlice]:
    """Two slices that follow each other, in place of one with at least two events."""
    middle = len(piece.events) // 2
    left, right = piece.events[:middle], piece.events[middle:]
    last = left[-1][0]
    return piece._replace(last=last, events=left), piece._replace(first=last + 1, events=right)


class Upkeep:
    """Keeps a store within its bounds, in small steps. For one thread."""

    def __init__(self, writer: StoreWriter, retention: Retention, restore: Callable[[], None] = lambda: None) -> None:
        self._writer = writer
        self._restore = restore
        self._retention = retention
        self._next_prune = monotonic()

    def tend(self) -> None:
        """Do what is due: delete what is past its retention, now if the disk is full; see that the store is the same; tidy up."""
        if self._relieve():
            self._next_prune = monotonic()
        self._restore()
        maintain = getattr(self._writer, "maintain", None)
        if maintain is not None:
            maintain()
        if monotonic() >= self._next_prune and not self._prune():
            self._next_prune = monotonic() + PRUNE_EVERY

    def _relieve(self) -> bool:
        """True if the disk was full and something was done about it, for stores that can."""
        relieve = getattr(self._writer, "relieve", None)
        return relieve is not None and bool(relieve(self._oldest(), self._retention.max_bytes))

    def _prune(self) -> bool:
        """True if there is more to delete."""
        before = self._oldest()
        return all(self._writer.prune(before, self._retention.max_bytes) for _ in range(CHUNKS_AT_ONCE))

    def _oldest(self) -> int:
        return time_ns() - int(self._retention.max_age_seconds * 1e9)
