"""The writing end of this process's journal."""

from __future__ import annotations

import logging
import mmap
import os
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from zlib import crc32

from pydantic_core import to_json

from otel_taskflow.errors import JournalError
from otel_taskflow.health import PartHealth
from otel_taskflow.journal.condition import condition_of
from otel_taskflow.journal.discard import discard
from otel_taskflow.journal.disk import Disk
from otel_taskflow.journal.frame import HEADER, MAGIC, MAX_PAYLOAD
from otel_taskflow.journal.lock import FileLock
from otel_taskflow.journal.making import make_locked
from otel_taskflow.journal.mark import END_NAME, Mark
from otel_taskflow.journal.put_off import PutOff
from otel_taskflow.journal.remedy import remedy
from otel_taskflow.journal.segment import Segment, segment_name
from otel_taskflow.ports import JournalHeader

FORMAT = 1

_logger = logging.getLogger("otel_taskflow")

_HEADER_SIZE = HEADER.size
_pack_header = HEADER.pack
_writers: weakref.WeakSet[JournalWriter] = weakref.WeakSet()


class JournalWriter:
    """Appends records; what an append has returned for is safe against the death of this process.

    ``end`` is the sequence number of the last record; ``ring`` is called when a record was written while a tailer slept.
    """

    def __init__(
        self, header: JournalHeader, folder: Path | None, lock: FileLock | None, budget: int, disk: Disk
    ) -> None:
        self.header = header
        self.id = header.journal_id
        self.budget = budget
        """Bytes beyond which lines are dropped."""
        self.folder = folder
        self.end = 0
        self.dropped: Counter[str] = Counter()
        self.segments: list[Segment] = []
        self.is_tailer_asleep = False
        self.is_degraded = False
        """True while there is no disk space for the journal and it goes on in memory."""
        self._trouble: OSError | None = None
        self.ring: Callable[[], None] = lambda: None
        self._file_lock = lock
        self._disk = disk
        self._header_bytes = to_json({"format": FORMAT, **header._asdict()})
        self._lock = threading.RLock()
        self._is_writing = False
        self._put_off = PutOff()
        self._number = 0
        self._spare: Segment | None = None
        self._pinned: list[bytes] = []
        self._pinned_size = 0
        self.synced = 0
        """Sequence number up to which everything is safe against a power cut."""
        self._sync_lock = threading.Lock()
        self.sync_failures = 0
        """Files of which the disk said that they could not be made safe."""
        self._closed = False
        self._position = 0
        self._room = 0
        self._is_over_budget = False
        self._end_cell = Mark(None if folder is None else folder / END_NAME).cell
        self._open_next(0)
        _writers.add(self)

    @classmethod
    def create(
        cls, root: Path | None, header: JournalHeader, *, budget: int = 256 * 1024**2, disk: Disk | None = None
    ) -> JournalWriter:
        """Make the journal of this process under ``root/journal``; in memory without a root. Raises JournalError."""
        disk = disk or Disk()
        if root is None:
            return cls(header, None, None, budget, disk)
        try:
            return cls._create_in(root / "journal", header, budget, disk)
        except OSError as error:
            raise JournalError(
                f"cannot create a journal in {root / 'journal'}: {error}; {remedy(error)} or choose another folder with dir="
            ) from error

    @classmethod
    def _create_in(cls, parent: Path, header: JournalHeader, budget: int, disk: Disk) -> JournalWriter:
        with ExitStack() as undo:
            folder, lock = make_locked(parent, header.journal_id, disk, undo)
            writer = cls(header, folder, lock, budget, disk)
            undo.pop_all()
        return writer

    # Appending

    def append(self, payload: bytes) -> int:
        """Write a state event; returns its sequence number. Raises JournalError if it cannot be kept."""
        with self._lock:
            if self._is_writing:
                self._put_off.calls.append(partial(self.append, payload))
                return self.end + 1 + len(self._put_off.calls)
            seq = self._append(payload)
            if self._put_off.calls:
                self.dropped["journal_unwritable"] += self._put_off.catch_up()
            return seq

    def append_log(self, payload: bytes, keep: bool) -> None:
        """Write a log event. Never raises: at the budget, and on a full disk, it is counted in ``dropped`` instead.

        ``keep``: also beyond the budget.
        """
        with self._lock:
            if self._is_writing:
                self._put_off.calls.append(partial(self.append_log, payload, keep))
                return
            # As _append does, without a call: there is nothing that is done more often.
            self._is_writing = True
            try:
                position = self._position
                after = position + len(payload) + _HEADER_SIZE
                is_easy = after <= self._room and (keep or not self._is_over_budget)
                if is_easy:
                    seq = self.end + 1
                    head = _pack_header(MAGIC, len(payload), crc32(payload, seq ^ (seq >> 32)), seq)
                    self._buffer[position:after] = head + payload
                    self.end = self._end_cell[0] = seq
                    self._position = after
            finally:
                self._is_writing = False
            if not is_easy:
                self._append_log_slowly(payload, keep)
            if self._put_off.calls:
                self.dropped["journal_unwritable"] += self._put_off.catch_up()
        if self.is_tailer_asleep:
            self._wake()

    def try_append(self, payload: bytes, *, pinned: bool = False) -> bool:
        """Write a record, unless a segment must be made for it: then False, and ``prepare`` is to be called. Touches no file.

        At the budget it is counted in ``dropped`` instead. Raises JournalError when closed, so in a forked child too.

        Args:
            pinned: Write it also at the head of each later segment, for the records that refer to it.
        """
        with self._lock:
            if self._closed:
                raise JournalError(f"the journal {self.id} is closed")
            if self._is_writing:
                return False
            if self._position + len(payload) + _HEADER_SIZE > self._room and not self._fits_spare(len(payload)):
                return False
            if self._is_over_budget and not pinned:
                self.dropped["journal_budget"] += 1
                return True
            self._append(payload)
            if pinned:
                self._pinned.append(payload)
                self._pinned_size += len(payload) + _HEADER_SIZE
            return True

    def has_spare(self) -> bool:
        """Whether the next segment is made already."""
        return self._spare is not None

    def _append(self, payload: bytes) -> int:
        size = len(payload)
        if size > MAX_PAYLOAD:
            raise JournalError(f"an event of {size} bytes is larger than a journal record may be ({MAX_PAYLOAD})")
        self._is_writing = True
        try:
            if self._position + size + _HEADER_SIZE > self._room:
                self._open_next(size)
            seq = self._write(payload, size)
        finally:
            self._is_writing = False
        if self.is_tailer_asleep:
            self._wake()
        return seq

    def _write(self, payload: bytes, size: int) -> int:
        position, seq = self._position, self.end + 1
        after = position + size + _HEADER_SIZE
        self._buffer[position:after] = _pack_header(MAGIC, size, crc32(payload, seq ^ (seq >> 32)), seq) + payload
        # Only now, in case this thread is held up: who reads up to the end must find the record there.
        self.end = self._end_cell[0] = seq
        self._position = after
        return seq

    def _append_log_slowly(self, payload: bytes, keep: bool) -> None:
        if self._is_over_budget and not keep:
            self.dropped["journal_budget"] += 1
            return
        try:
            self._append(payload)
        except (JournalError, OSError):
            self.dropped["journal_unwritable"] += 1

    def _wake(self) -> None:
        self.is_tailer_asleep = False
        self.ring()

    # Segments

    def _open_next(self, needed: int) -> None:
        """Go on to the prepared segment, or make one now. Raises JournalError when closed, so in a forked child too."""
        if self._closed:
            raise JournalError(f"the journal {self.id} is closed")
        needed += self._pinned_size
        segment, self._spare = self._spare, None
        if segment is not None and segment.size - 4096 < needed:
            segment.remove()
            segment = None
        if segment is None:
            segment = self._create_segment(needed)
        segment.first = self.end + 1
        position = segment.write_header(self._header_bytes)
        if self.segments:
            self.segments[-1].is_full = True
        self.segments.append(segment)
        self._buffer: mmap.mmap = segment.buffer
        self._position = position
        self._room = segment.size
        self._is_over_budget = self._is_beyond_budget()
        for payload in self._pinned:
            self._write(payload, len(payload))

    def _fits_spare(self, needed: int) -> bool:
        return self._spare is not None and self._spare.size - 4096 >= needed + self._pinned_size

    def _create_segment(self, needed: int) -> Segment:
        self._number += 1
        path = None if self.folder is None else self.folder / segment_name(self._number)
        size = needed + len(self._header_bytes) + 2 * HEADER.size
        try:
            segment = self._disk.create_segment(path, size)
            self.is_degraded = False
        except OSError as error:
            if not self.segments:
                raise
            self._degrade(error)
            segment = self._disk.create_segment(None, size)
        return segment

    def _degrade(self, error: OSError) -> None:
        """Without room for a file go on in memory: consumers still get everything, but a dead process would take it along."""
        self._trouble = error
        if not self.is_degraded:
            self.is_degraded = True
            _logger.error("otel_taskflow: the journal is not crash-safe now, %s: %s", remedy(error), error)

    def prepare(self, *, early: bool = False, in_need: bool = False) -> None:
        """Make the next segment ahead of time, on the caller's thread: when this one is half full or in memory, or now (``early``).

        Where the disk has no room there is none, or one in memory if there is no time to wait for room (``in_need``).
        """
        with self._lock:
            is_due = early or self.is_degraded or self._position > self._room // 2
            if self._spare is not None or self._closed or not is_due:
                return
            self._number += 1
            number = self._number
        try:
            spare = self._disk.create_segment(None if self.folder is None else self.folder / segment_name(number))
        except OSError as error:
            if not in_need:
                return
            self._degrade(error)
            spare = self._disk.create_segment(None)
        with self._lock:
            # The writer may have gone on meanwhile: a spare must not come after a segment with a higher number.
            if self._number == number and not self._closed:
                self._spare = spare
                if self.is_degraded and spare.path is not None:
                    self.is_degraded, self._room = False, 0  # The next record goes to the disk again.
                return
        spare.remove()

    def reclaim(self, seq: int, down_to: int = 0) -> None:
        """Nobody needs records up to ``seq``: delete the segments that hold nothing newer, until ``down_to`` bytes are left."""
        while len(self.segments) > 1 and self.segments[1].first <= seq + 1 and _size_of(self.segments) > down_to:
            with self._lock:
                segment = self.segments.pop(0)
                self._is_over_budget = self._is_beyond_budget()
            segment.remove()

    def _is_beyond_budget(self) -> bool:
        """One segment is always there."""
        return len(self.segments) > 1 and _size_of(self.segments) > self.budget

    # How it is

    def health(self) -> PartHealth:
        """Whether it is on disk and within its budget. Never raises."""
        figures = {
            "events": self.end,
            "bytes": _size_of(self.segments),
            "budget": self.budget,
            "dropped": sum(self.dropped.values()),
        }
        trouble = self._trouble if self.is_degraded else None
        is_distrusted = any(segment.is_distrusted for segment in list(self.segments))
        is_gone = self._file_lock is not None and not self._file_lock.is_in(self.folder)
        return condition_of(
            figures, trouble, is_over_budget=self._is_over_budget, is_distrusted=is_distrusted, is_gone=is_gone
        )

    # Durability and the end

    def sync(self) -> None:
        """Make everything appended so far safe against a power cut; callers that come together share one sync."""
        wanted = self.end
        with self._sync_lock:
            if self.synced >= wanted:
                return
            with self._lock:  # Nobody is in the middle of a record.
                reached, segments = self.end, list(self.segments)
            lasts = [*(following.first - 1 for following in segments[1:]), reached]
            for segment, last in zip(segments, lasts, strict=True):
                if last > self.synced and not self._try_to_sync(segment):
                    reached = min(reached, segment.first - 1)
            self.synced = reached

    def _try_to_sync(self, segment: Segment) -> bool:
        """False if it is not safe against a power cut. A file whose sync failed is not trusted again: the next says yes wrongly."""
        if segment.is_distrusted:
            return False
        try:
            return segment.sync()
        except OSError as error:
            segment.is_distrusted = True
            self._go_on_elsewhere(segment, error)
            return False

    def _go_on_elsewhere(self, segment: Segment, error: OSError) -> None:
        with self._lock:
            if self.segments[-1] is segment:
                self._room = 0
        self.sync_failures += 1
        if self.sync_failures == 1:
            _logger.error(
                "otel_taskflow: what is in the journal now is not safe against a power cut, check that disk: %s", error
            )

    def close(self, consumed: int | None = None) -> None:
        """End the journal. Its files go if all was ``consumed``; else the next process finds and replays them."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._room = 0
        _writers.discard(self)
        if self.folder is not None and consumed is not None and consumed >= self.end:
            discard(self.folder)
            self._disk.sync_folder(self.folder.parent)
        if self._file_lock is not None:
            self._file_lock.release()

    def invalidate(self) -> None:
        """In a forked child: this journal is the parent's; nothing may be written to it any more."""
        self._lock = threading.RLock()
        self._is_writing = False
        self._put_off = PutOff()
        self._sync_lock = threading.Lock()
        self._closed = True
        self._room = 0
        self._end_cell = Mark(None).cell


def _size_of(segments: Sequence[Segment]) -> int:
    return sum(segment.size for segment in list(segments))


def _invalidate_all() -> None:
    for writer in list(_writers):
        writer.invalidate()
    _writers.clear()


os.register_at_fork(after_in_child=_invalidate_all)
