"""The consumer that fills the spool: a slice of a journal as encoded OTLP messages, in one transaction with the offset.

No SDK pipeline is in between: spans and log records are made of the events. What has to be known of an attempt before its
end is in the spool too, so that whoever goes on with a dead process's journal can finish its spans.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from otel_taskflow.consumers.lookup import Lookup
from otel_taskflow.consumers.outbox_facts import TaskFacts
from otel_taskflow.consumers.outbox_routes import Route
from otel_taskflow.consumers.outbox_slice import OutboxSlice, Surroundings
from otel_taskflow.consumers.pace import paced
from otel_taskflow.errors import SpoolError
from otel_taskflow.ports import JournalSlice
from otel_taskflow.spool import Spool, SpoolWrite
from otel_taskflow.telemetry.otlp.attempts import OpenAttempt
from otel_taskflow.telemetry.otlp.values import DataLimits


class Outbox:
    """A ``Consumer`` of the live journal that also completes those of dead processes."""

    name = "outbox"
    wants_replay = True

    def __init__(
        self,
        spool: Spool,
        routes: Sequence[Route],
        lookup: Lookup,
        *,
        limits: DataLimits,
        is_bridged: Callable[[str, str], bool],
    ) -> None:
        self._spool = spool
        self._around = Surroundings(routes, TaskFacts(lookup), limits, is_bridged, self._load_attempt)
        self._open: dict[str, dict[str, OpenAttempt]] = {}
        """Running attempts by journal."""
        self._unwritten: SpoolWrite | None = None

    def seen_of(self, journal_id: str) -> int:
        """Sequence number of the last event of a journal that is in the spool; 0 if none."""
        return self._spool.offset(journal_id)

    def forget(self, journal_id: str) -> None:
        """The files of a journal are gone."""
        self._open.pop(journal_id, None)
        self._spool.forget_journal(journal_id)

    def consume(self, piece: JournalSlice) -> None:
        """Write a slice. Raises SpoolError while the spool is not to be had; then it may be offered again."""
        write = self._unwritten_of(piece) or self._read(piece)
        self._unwritten = write
        try:
            self._spool.write(write)
        except SpoolError:
            if not piece.live:
                # Another process may go on with a dead journal; what this one remembers of it is worth nothing then.
                self._open.pop(piece.header.journal_id, None)
                self._unwritten = None
            raise
        self._unwritten = None

    def close(self, timeout: float) -> None:
        """Nothing is buffered here."""

    def _unwritten_of(self, piece: JournalSlice) -> SpoolWrite | None:
        """What was read of this slice before, when the spool could not take it: an event counts only once."""
        write = self._unwritten
        if write is None or (write.journal_id, write.offset) != (piece.header.journal_id, piece.last):
            return None
        return write

    def _read(self, piece: JournalSlice) -> SpoolWrite:
        open_attempts = self._open.setdefault(piece.header.journal_id, {})
        slice_ = OutboxSlice(self._around, piece, open_attempts)
        for _, event in paced(piece.events):
            slice_.take(event)
        return slice_.write(piece.last)

    def _load_attempt(self, key: str) -> OpenAttempt | None:
        state = self._spool.open_attempt(key)
        if state is None:
            return None
        try:
            return OpenAttempt.from_bytes(state)
        except (ValueError, TypeError, LookupError):
            return None
