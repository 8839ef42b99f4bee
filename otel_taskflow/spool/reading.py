"""Questions to the spool. Each is answered at one moment, beside writers."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from otel_taskflow.spool.ledger import Lost, span_of
from otel_taskflow.spool.messages import Backlog, Counters, Quarantined, Source, Stored
from otel_taskflow.spool.sources import SourcesByKey
from otel_taskflow.spool.statements import SQL


def take(
    connection: sqlite3.Connection, sources: SourcesByKey, queue: tuple[str, str], limits: tuple[int, int]
) -> Sequence[Stored]:
    """The oldest messages of a queue (destination, signal) within limits (messages, bytes); at least one."""
    key = connection.execute(SQL["key_of_queue"], queue).fetchone()
    if key is None:
        return []
    max_messages, room = limits
    taken: list[Stored] = []
    known: dict[int, Source] = {}
    rows = connection.execute(SQL["take"], (*span_of(key[0]), max(1, max_messages)))
    for id_, source_key, time, body in rows:
        room -= len(body)
        if room < 0 and taken:
            break
        source = known.get(source_key)
        if source is None:
            source = known[source_key] = sources.get(connection, source_key)
        taken.append(Stored(id_, source, body, time))
    rows.close()
    return taken


def backlog(connection: sqlite3.Connection, destination: str, signal: str) -> Backlog:
    """What waits in a queue."""
    found = connection.execute(SQL["backlog"], (destination, signal)).fetchone()
    if found is None:
        return Backlog(0, 0, None)
    key, messages, size = found
    oldest = connection.execute(SQL["oldest_messages"], (*span_of(key), 1)).fetchone()
    return Backlog(messages, size, oldest[0] if oldest else None)


def delivered(connection: sqlite3.Connection, destination: str, signal: str) -> Counters:
    """The totals of a queue."""
    messages, size, since = connection.execute(SQL["delivered"], (destination, signal)).fetchone()
    return Counters(messages or 0, size or 0, since)


def quarantined(
    connection: sqlite3.Connection, sources: SourcesByKey, destination: str, limit: int
) -> Sequence[Quarantined]:
    """What the destination refused last."""
    rows = connection.execute(SQL["quarantined"], (destination, limit)).fetchall()
    return [Quarantined(id_, signal, sources.get(connection, key), *rest) for id_, signal, key, *rest in rows]


def read_dropped(connection: sqlite3.Connection) -> Lost:
    """The counters of what is lost."""
    rows = connection.execute(SQL["dropped"])
    return {(str(name), str(signal), str(reason)): int(count) for name, signal, reason, count in rows}
