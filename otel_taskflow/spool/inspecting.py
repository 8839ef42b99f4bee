"""The spool's file as somebody sees it who does not use it: read-only, in short reads, whatever is damaged in it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from otel_taskflow.spool.ledger import Ledger, Lost
from otel_taskflow.spool.messages import Backlog, Counters, Quarantined, Source
from otel_taskflow.spool.reading import backlog, quarantined, read_dropped
from otel_taskflow.spool.sources import SourcesByKey
from otel_taskflow.spool.statements import MIGRATIONS, SQL, label
from otel_taskflow.sqlite.aside import asides
from otel_taskflow.sqlite.connection import connect
from otel_taskflow.sqlite.file import closing
from otel_taskflow.sqlite.migrate import check
from otel_taskflow.sqlite.naming import named_errors

_TABLES = {"messages": "waiting", "held": "held", "quarantine": "quarantined"}


class QueueFigures(NamedTuple):
    """One signal of one destination."""

    destination: str
    signal: str
    backlog: Backlog
    held: int
    delivered: Counters


class Inspection(NamedTuple):
    """What a spool's file says about itself."""

    queues: Sequence[QueueFigures]
    dropped: Lost
    quarantined: Mapping[str, Sequence[Quarantined]]
    """By destination, newest first, 100 at most."""
    file_bytes: int
    asides: Sequence[Path]
    """Damaged files that were moved away."""


class Dumped(NamedTuple):
    """One message of a spool's file. None: it is not known, or cannot be read any more."""

    state: str
    """ "waiting", "held" or "quarantined"."""
    id: int
    destination: str | None
    signal: str | None
    source: Source | None
    time: int
    body: bytes
    attempt: str | None
    status: int | None
    answer: str | None
    quarantined_at: int | None


OnDamage = Callable[[str, sqlite3.Error], None]
"""Takes the state of the messages that could not all be read, and why."""


def inspect(path: Path) -> Inspection:
    """Figures. Raises SpoolError for a file that cannot be read or is none of ours."""
    with _reading(path) as connection:
        queues = [_figures(connection, ledger_queue) for ledger_queue in Ledger(connection).queues()]
        sources = SourcesByKey()
        names = {each.destination for each in queues}
        return Inspection(
            queues,
            read_dropped(connection),
            {name: found for name in sorted(names) if (found := quarantined(connection, sources, name, 100))},
            sum(each.stat().st_size for each in (path, Path(f"{path}-wal")) if each.exists()),
            asides(path),
        )


def dump(path: Path, on_damage: OnDamage) -> Iterator[Dumped]:
    """All messages that can be read: up to a damaged place, and from the end back to it. Raises SpoolError as above."""
    with _reading(path) as connection:
        reader = _Reader(connection)
        for table, state in _TABLES.items():
            yield from reader.messages(table, state, on_damage)


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    named = label(str(path))
    with named_errors(named), closing(connect(path, read_only=True)) as connection:
        check(connection, named, MIGRATIONS)
        yield connection


def _figures(connection: sqlite3.Connection, queue: Any) -> QueueFigures:
    (made_at,) = connection.execute(SQL["about"]).fetchone()[:1]
    waits = backlog(connection, queue.destination, queue.signal)
    totals = Counters(queue.delivered, queue.delivered_bytes, made_at)
    return QueueFigures(queue.destination, queue.signal, waits, queue.held.messages, totals)


@dataclass
class _Unseen:
    """Keys between which nothing was read yet."""

    after: int = -(2**63)
    before: int = 2**63 - 1

    @property
    def bounds(self) -> dict[str, int]:
        """For a statement."""
        return {"after": self.after, "before": self.before}


class _Reader:
    """Reads messages in stretches, so that a spool in use can go on with its write-ahead log."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._sources = SourcesByKey()
        self._queues: dict[int, tuple[str, str]] = {}
        with suppress(sqlite3.Error):
            self._queues = {row[0]: (row[1], row[2]) for row in connection.execute(SQL["queues"])}

    def messages(self, table: str, state: str, on_damage: OnDamage) -> Iterator[Dumped]:
        """Those of one table."""
        unseen = _Unseen()
        try:
            yield from self._forwards(table, state, unseen)
        except sqlite3.Error as error:
            on_damage(state, error)
            with suppress(sqlite3.Error):
                yield from self._backwards(table, state, unseen)

    def _forwards(self, table: str, state: str, unseen: _Unseen) -> Iterator[Dumped]:
        last = None
        while last != unseen.after:
            last = unseen.after
            for row in self._connection.execute(SQL[f"dump_{table}"], unseen.bounds):
                unseen.after = row[0]
                yield self._message(state, row)

    def _backwards(self, table: str, state: str, unseen: _Unseen) -> Iterator[Dumped]:
        last = None
        while last != unseen.before:
            last = unseen.before
            for row in self._connection.execute(SQL[f"dump_{table}_backwards"], unseen.bounds):
                unseen.before = row[0]
                yield self._message(state, row)

    def _message(self, state: str, row: Sequence[Any]) -> Dumped:
        _, id_, source_key, time, body, attempt, status, answer, quarantined_at, queue = row
        destination, signal = self._queues.get(queue, (None, None))
        source = self._source(source_key)
        return Dumped(
            state, id_, destination, signal, source, time, bytes(body), attempt, status, answer, quarantined_at
        )

    def _source(self, key: int) -> Source | None:
        try:
            return self._sources.get(self._connection, key)
        except (sqlite3.Error, TypeError):
            return None


__all__ = ["Dumped", "Inspection", "QueueFigures", "dump", "inspect"]
