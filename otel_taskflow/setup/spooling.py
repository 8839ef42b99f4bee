"""From a journal of encoded messages into the spool: each slice in one transaction with the journal's offset."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from typing import cast

from otel_taskflow.consumers.pace import paced
from otel_taskflow.journal.otlp import Declaration, Encoded, Origin, OtlpRecord
from otel_taskflow.ports import JournalSlice
from otel_taskflow.spool import Message, Source, Spool, SpoolWrite

_logger = logging.getLogger("otel_taskflow")


class SpoolConsumer:
    """Moves one journal's messages. A spool that is not to be had raises SpoolError: the data waits.

    ``dropped`` counts what can never be moved.

    Args:
        after: Sequence number of the last record whose message the spool has. Declarations before it still count.
    """

    name = "spool"

    def __init__(self, spool: Spool, journal_id: str, after: int = 0) -> None:
        self._spool = spool
        self._journal_id = journal_id
        self._after = after
        self._origins: dict[int, tuple[Origin, Source]] = {}
        self.dropped: Counter[str] = Counter()

    def consume(self, piece: JournalSlice) -> None:
        """Write a slice."""
        records = cast("Sequence[tuple[int, OtlpRecord]]", piece.events)
        messages = [found for seq, record in paced(records) if (found := self._take(seq, record)) is not None]
        if piece.last > self._after:
            self._write(SpoolWrite(self._journal_id, piece.last, messages))
            self._after = piece.last

    def close(self, timeout: float) -> None:
        """Nothing is buffered here."""

    def _take(self, seq: int, record: OtlpRecord) -> Message | None:
        if isinstance(record, Declaration):
            self._origins.setdefault(record.number, _with_source(record.origin))
            return None
        return self._message(record) if seq > self._after else None

    def _message(self, record: Encoded) -> Message | None:
        known = self._origins.get(record.origin) if isinstance(record.origin, int) else _with_source(record.origin)
        if known is None:
            self._drop("undeclared", "what it says about its origin is lost")
            return None
        origin, source = known
        return Message(origin.destination, origin.signal, source, record.body, record.time)

    def _write(self, write: SpoolWrite) -> None:
        try:
            self._spool.write(write)
        except ValueError as error:
            # What SQLite can hold of the slice must not wait behind what it cannot.
            kept = [message for message in write.messages if self._is_held(message)]
            self._spool.write(write._replace(messages=()))
            self._drop("refused", str(error), len(write.messages) - len(kept))

    def _is_held(self, message: Message) -> bool:
        try:
            self._spool.add([message])
        except ValueError:
            return False
        return True

    def _drop(self, reason: str, why: str, count: int = 1) -> None:
        if not self.dropped[reason]:
            _logger.error("otel_taskflow: a span or log record cannot be put into the spool, it is left out: %s", why)
        self.dropped[reason] += count


def _with_source(origin: Origin) -> tuple[Origin, Source]:
    return origin, Source(*origin[2:])


__all__ = ["SpoolConsumer"]
