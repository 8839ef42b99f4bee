"""The reading end: of this process's own journal, and of one whose process is dead."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from otel_taskflow.errors import JournalError
from otel_taskflow.journal.frame import find_magic, read_frame, skip_frames
from otel_taskflow.journal.segment import Segment
from otel_taskflow.journal.writer import FORMAT, JournalWriter
from otel_taskflow.ports import JournalHeader

NOWHERE = 2**64
"""The place of a segment without a record."""
_HEAD = 65536
"""Bytes in which a segment's header, and mostly its first record, is."""


class Record(NamedTuple):
    """One record of a journal."""

    seq: int
    payload: bytes


class LiveReader:
    """Reads this process's own journal behind its writer. For one thread."""

    def __init__(self, writer: JournalWriter, after: int = 0) -> None:
        self._writer = writer
        self._segment: Segment | None = None
        self._position = 0
        self._has_moved = False
        """Whether records lie before it that it is not to read."""
        self.at = after
        """Sequence number of the last record read."""
        self.skipped = 0
        """Records that were reclaimed before they were read."""

    def read(self, limit: int) -> list[Record]:
        """At most ``limit`` records after ``at``, up to the writer's end. What was reclaimed meanwhile is skipped."""
        records: list[Record] = []
        end = self._writer.end
        while self.at < end and len(records) < limit:
            segment = self._current_segment()
            # Asked before looking: the writer may finish a record and go on to the next segment between the two.
            is_full = segment.is_full
            buffer = segment.buffer
            if self._has_moved:
                self._position, self._has_moved = skip_frames(buffer, self._position, self.at), False
            frame = read_frame(buffer, self._position)
            if frame is None:
                if not is_full:
                    break
                self._segment = None
                self._go_on_after(_last_of(self._writer, segment))
                continue
            self._position = frame.end
            if frame.seq > self.at:
                self.skipped += frame.seq - self.at - 1
                self.at = frame.seq
                records.append(Record(frame.seq, frame.payload))
        return records

    def _go_on_after(self, seq: int) -> None:
        self.skipped += max(0, seq - self.at)
        self.at = max(self.at, seq)

    def move(self, after: int) -> None:
        """Go on after this sequence number, which somebody has read before.

        Within a segment it goes on from where it is, else from the start of one.
        """
        segment = self._segment
        if after < self.at or (segment is not None and segment.is_full and after > _last_of(self._writer, segment)):
            self._segment = None
        self.at = after
        self._has_moved = True

    def _current_segment(self) -> Segment:
        if self._segment is None:
            self._segment = _segment_with(self._writer, self.at + 1)
            self._position = self._segment.start
            self._has_moved = True
        return self._segment


def _segment_with(writer: JournalWriter, seq: int) -> Segment:
    """The last segment that begins at or before ``seq``; the oldest kept if that one was reclaimed."""
    segments = list(writer.segments)
    chosen = segments[0]
    for segment in segments:
        if segment.first <= seq:
            chosen = segment
    return chosen


def _last_of(writer: JournalWriter, segment: Segment) -> int:
    for following in list(writer.segments):
        if following.first > segment.first:
            return following.first - 1
    return segment.first - 1


class DeadReader:
    """Reads a journal that nobody writes any more; torn records are skipped and counted in ``torn``.

    It holds one segment at a time in memory.

    Args:
        paths: Segments, where it is not to be all of the folder's.
    """

    def __init__(self, folder: Path, paths: Sequence[Path] | None = None) -> None:
        paths = sorted(folder.glob("*.seg")) if paths is None else paths
        self.header = _first_header(paths)
        self._segments = sorted((first_seq(path), path) for path in paths)
        self._torn: set[tuple[Path, int]] = set()

    @property
    def last_segment(self) -> int:
        """Sequence number with which the last segment begins; 0 in an empty journal."""
        return max((first for first, _ in self._segments if first != NOWHERE), default=0)

    @property
    def first(self) -> int:
        """Sequence number with which the first segment that is kept begins; 0 in an empty journal."""
        return min((first for first, _ in self._segments if first != NOWHERE), default=0)

    @property
    def torn(self) -> int:
        """Records found so far that were not written to their end."""
        return len(self._torn)

    def records(self, after: int = 0) -> Iterator[Record]:
        """All records after the sequence number ``after``, in order. May be called again."""
        last = after
        for number, (_, path) in enumerate(self._segments):
            if number + 1 < len(self._segments) and self._segments[number + 1][0] <= after + 1:
                continue
            for record in self._records_of(path):
                if record.seq > last:
                    last = record.seq
                    yield record

    def _records_of(self, path: Path) -> Iterator[Record]:
        data, position = path.read_bytes(), 0
        while position >= 0:
            frame = read_frame(data, position)
            if frame is not None:
                position = frame.end
                if frame.seq:
                    yield Record(frame.seq, frame.payload)
                continue
            is_torn = bool(data[position : position + 4].strip(b"\0"))
            if is_torn:
                self._torn.add((path, position))
            position = find_magic(data, position + is_torn)


def _first_header(paths: Sequence[Path]) -> JournalHeader | None:
    """The first header that can be read. Raises JournalError for a journal of a newer format."""
    for path in paths:
        frame = read_frame(_head(path), 0)
        # Nothing is sound too: where zeros have taken the place of length, checksum and number.
        if frame is not None and frame.seq == 0 and frame.payload:
            return _parse_header(frame.payload, path)
    return None


def first_seq(path: Path) -> int:
    """Sequence number of the first record of a segment, which tells its place; beyond all others if it has none.

    Names do not tell it: a segment that was prepared ahead may have been overtaken.
    """
    return _first_seq_in(_head(path)) or _first_seq_in(path.read_bytes()) or NOWHERE


def _first_seq_in(data: bytes) -> int:
    position = 0
    while position >= 0:
        frame = read_frame(data, position)
        if frame is not None and frame.seq:
            return frame.seq
        position = frame.end if frame is not None else find_magic(data, position + 1)
    return 0


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD)


def _parse_header(payload: bytes, path: Path) -> JournalHeader:
    fields: dict[str, Any] = json.loads(payload)
    written = fields.pop("format", None)
    if written != FORMAT:
        raise JournalError(
            f"the journal {path.parent} has format {written}, and this release reads {FORMAT}: "
            "upgrade otel-taskflow here, or let the newer release finish it; the files are untouched"
        )
    return JournalHeader(**{name: fields[name] for name in JournalHeader._fields if name in fields})
