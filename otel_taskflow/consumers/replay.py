"""What a dead process left: its journal goes through the same consumers as a live one.

The store gets it in two passes over the one stream. The first writes all changes of state and counts the lines, which is quick;
then it is known what is to become of the tasks. The second writes the lines. Each pass has an offset of its own, written with
its rows, so that either may be broken off anywhere and nothing is counted twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Protocol

from otel_taskflow.consumers.slices import Decoder
from otel_taskflow.consumers.store import StoreConsumer
from otel_taskflow.errors import StoreReplacedError
from otel_taskflow.journal.folder import Orphan
from otel_taskflow.ports import JournalSlice, StoreWriter


class ReplayObserver(Protocol):
    """A consumer that wants to complete what a dead process did not tell it."""

    def seen_of(self, journal_id: str) -> int:
        """Sequence number of the last event of that journal that it has seen; 0 if none."""

    def consume(self, piece: JournalSlice) -> None:
        """Take a slice."""


def replay_states(
    orphan: Orphan, store: StoreWriter, decoder: Decoder, quarantined: Counter[str] | None = None
) -> Iterator[int]:
    """Write what the store has not seen, the lines aside; yields how far it is. Idempotent. Raises StoreError.

    What the store refuses is counted in ``quarantined``.
    """
    name = _states_of(orphan.journal_id)
    after = max(store.offset(orphan.journal_id), store.offset(name))
    consumer = StoreConsumer(store, orphan.journal_id, quarantined=quarantined)
    header = orphan.header._replace(journal_id=name)
    for piece in decoder.states_of(header, orphan.reader.records(after), after):
        consumer.consume(piece)
        yield piece.last


def replay_lines(
    orphan: Orphan, store: StoreWriter, decoder: Decoder, quarantined: Counter[str] | None = None
) -> Iterator[int]:
    """Write the lines that the store has not seen, after all of ``replay_states``; otherwise like it."""
    after = store.offset(orphan.journal_id)
    consumer = StoreConsumer(store, orphan.journal_id, lines_only=True, quarantined=quarantined)
    for piece in decoder.lines_of(orphan.header, orphan.reader.records(after), after):
        consumer.consume(piece)
        yield piece.last


def replay_to(observer: ReplayObserver, orphan: Orphan, decoder: Decoder) -> Iterator[int]:
    """Tell an observer what it has not seen; yields how far it is."""
    after = observer.seen_of(orphan.journal_id)
    for piece in decoder.slices_of(orphan.header, orphan.reader.records(after), after):
        observer.consume(piece)
        yield piece.last


def missing(orphan: Orphan, store: StoreWriter) -> int:
    """Events that the store ought to have, because the journal does not have them any more, and has not."""
    return max(0, orphan.reader.first - 1 - max(written(orphan, store)))


def written(orphan: Orphan, store: StoreWriter) -> tuple[int, int]:
    """How far the store has either pass. Less than before is in a store that was replaced."""
    return store.offset(_states_of(orphan.journal_id)), store.offset(orphan.journal_id)


def check_written(orphan: Orphan, store: StoreWriter, at_least: tuple[int, int]) -> None:
    """Raise StoreReplacedError unless the store still has what it had."""
    if any(now < before for now, before in zip(written(orphan, store), at_least, strict=True)):
        raise StoreReplacedError("the store was replaced meanwhile; what that process left is written again")


def forget(orphan: Orphan, store: StoreWriter) -> None:
    """Drop the offsets of a journal whose files are gone."""
    store.forget_journal(orphan.journal_id)
    store.forget_journal(_states_of(orphan.journal_id))


def _states_of(journal_id: str) -> str:
    """The name under which the first pass keeps its offset; no journal has it."""
    return f"{journal_id}#states"
