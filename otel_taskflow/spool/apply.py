"""One slice becomes rows. Everything here runs inside the caller's transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence

from otel_taskflow.spool.evict import make_room
from otel_taskflow.spool.ledger import Ledger
from otel_taskflow.spool.messages import Limits, Message, SpoolWrite
from otel_taskflow.spool.sources import SourceKeys
from otel_taskflow.spool.statements import SQL
from otel_taskflow.sqlite.inserting import Insert

Row = tuple[int | str | bytes, ...]
_insert_messages = Insert(SQL["add_message"])
_insert_held = Insert(SQL["add_held"])


def stored_offset(connection: sqlite3.Connection, journal_id: str) -> int:
    """The offset of a journal, 0 if unknown."""
    found = connection.execute(SQL["get_offset"], (journal_id,)).fetchone()
    return int(found[0]) if found else 0


def apply(ledger: Ledger, keys: SourceKeys, write: SpoolWrite, limits: Mapping[str, Limits]) -> None:
    """Write the slice and its offset."""
    for destination, attempt in write.released:
        _release(ledger, destination, attempt)
    for destination, attempt in write.discarded:
        _discard(ledger, destination, attempt)
    add(ledger, keys, _decided(write), limits)
    ledger.drop_all(write.dropped)
    connection = ledger.connection
    connection.executemany(SQL["put_attempt"], write.open_attempts.items())
    connection.executemany(SQL["close_attempt"], [(attempt,) for attempt in write.closed_attempts])
    connection.execute(SQL["put_offset"], (write.journal_id, write.offset))


def add(ledger: Ledger, keys: SourceKeys, messages: Sequence[Message], limits: Mapping[str, Limits]) -> None:
    """Store messages, and evict the oldest of a destination that has too many."""
    keys.begin(ledger)
    _insert_messages(ledger.connection, _waiting_rows(ledger, keys, messages))
    _insert_held(ledger.connection, _held_rows(ledger, keys, messages))
    for destination in {message.destination for message in messages}:
        make_room(ledger, destination, limits.get(destination, Limits()).max_bytes)


def _waiting_rows(ledger: Ledger, keys: SourceKeys, messages: Sequence[Message]) -> Iterator[Row]:
    for destination, signal, source, body, time, held_for in messages:
        if held_for is None:
            yield ledger.queue(destination, signal).waiting.add(len(body)), keys.key(source), time, body


def _held_rows(ledger: Ledger, keys: SourceKeys, messages: Sequence[Message]) -> Iterator[Row]:
    for destination, signal, source, body, time, held_for in messages:
        if held_for is not None:
            yield ledger.queue(destination, signal).held.add(len(body)), held_for, keys.key(source), time, body


def _decided(write: SpoolWrite) -> Sequence[Message]:
    """The messages of the slice, those of attempts that also end in it no longer held: most tasks are short."""
    if not (write.released or write.discarded):
        return write.messages
    return list(_without_decided(write.messages, set(write.released), set(write.discarded)))


def _without_decided(
    messages: Sequence[Message], released: Collection[tuple[str, str]], discarded: Collection[tuple[str, str]]
) -> Iterator[Message]:
    for message in messages:
        key = (message.destination, message.held_for)
        if message.held_for is None or key not in discarded:
            yield message._replace(held_for=None) if key in released else message


def _release(ledger: Ledger, destination: str, attempt: str) -> None:
    for queue in ledger.of(destination):
        count, size = _weigh(ledger, queue.held.span, attempt) if queue.held.messages else (0, 0)
        if count:
            where = {**_where(queue.held.span, attempt), "next_id": queue.waiting.next_id}
            ledger.connection.execute(SQL["release_attempt"], where)
            ledger.connection.execute(SQL["delete_attempt"], _where(queue.held.span, attempt))
            queue.held.take_off(count, size)
            queue.waiting.put_on(count, size)


def _discard(ledger: Ledger, destination: str, attempt: str) -> None:
    for queue in ledger.of(destination):
        count, size = _weigh(ledger, queue.held.span, attempt) if queue.held.messages else (0, 0)
        if count:
            ledger.connection.execute(SQL["delete_attempt"], _where(queue.held.span, attempt))
            queue.held.take_off(count, size)


def _weigh(ledger: Ledger, span: tuple[int, int], attempt: str) -> tuple[int, int]:
    count, size = ledger.connection.execute(SQL["weigh_attempt"], _where(span, attempt)).fetchone()
    return int(count), int(size)


def _where(span: tuple[int, int], attempt: str) -> dict[str, int | str]:
    first, last = span
    return {"attempt": attempt, "first": first, "last": last}
