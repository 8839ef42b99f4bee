"""What each queue holds: read at the start of a transaction, changed by what happens in it, written at its end."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from otel_taskflow.spool.runs import runs_of
from otel_taskflow.spool.statements import SQL

QUEUE_BITS = 52
"""Numbers of one queue; microseconds fit for a hundred years, and nobody adds more than one a microsecond."""
OVERHEAD = 32
"""Bytes that a row takes beside its body, about."""

Lost = Mapping[tuple[str, str, str], int]
"""Messages by (destination, signal, reason)."""


def span_of(key: int) -> tuple[int, int]:
    """The first and the last id that rows of the queue with this key can have."""
    first = key << QUEUE_BITS
    return first, first + (1 << QUEUE_BITS) - 1


@dataclass
class Shelf:
    """One table's part of a queue: what waits, or what is held."""

    table: str
    next_id: int
    messages: int
    bytes: int

    @property
    def span(self) -> tuple[int, int]:
        """The ids that it can have."""
        return span_of(self.next_id >> QUEUE_BITS)

    @property
    def weight(self) -> int:
        """Bytes on the disk, about."""
        return self.bytes + OVERHEAD * self.messages

    def can_have(self, id_: int) -> bool:
        """Whether the id may be one of its rows."""
        first, last = self.span
        return first <= id_ <= last

    def add(self, size: int) -> int:
        """Count a new message; return its id."""
        self.messages += 1
        self.bytes += size
        self.next_id += 1
        return self.next_id - 1

    def put_on(self, messages: int, size: int) -> None:
        """Count messages that came from another shelf, with the next ids."""
        self.messages += messages
        self.bytes += size
        self.next_id += messages

    def take_off(self, messages: int, size: int) -> None:
        """Count messages as gone."""
        self.messages -= messages
        self.bytes -= size


@dataclass
class Queue:
    """One signal of one destination."""

    key: int
    destination: str
    signal: str
    waiting: Shelf
    held: Shelf
    delivered: int = 0
    delivered_bytes: int = 0

    @classmethod
    def from_row(cls, row: Sequence[int | str]) -> Queue:
        """A row of ``queues``."""
        key, destination, signal, *numbers = row
        waiting, held, totals = numbers[:3], numbers[3:6], numbers[6:]
        return cls(
            int(key),
            str(destination),
            str(signal),
            Shelf("messages", *map(int, waiting)),
            Shelf("held", *map(int, held)),
            *map(int, totals),
        )

    @classmethod
    def new(cls, key: int, destination: str, signal: str) -> Queue:
        """An empty one."""
        first = (key << QUEUE_BITS) + time.time_ns() // 1000
        return cls(key, destination, signal, Shelf("messages", first, 0, 0), Shelf("held", first, 0, 0))

    def to_row(self) -> tuple[int | str, ...]:
        """In the order of ``put_queue``."""
        waiting, held = self.waiting, self.held
        return (
            *(self.key, self.destination, self.signal),
            *(waiting.next_id, waiting.messages, waiting.bytes),
            *(held.next_id, held.messages, held.bytes),
            *(self.delivered, self.delivered_bytes),
        )


class Ledger:
    """All queues, for one transaction on this connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.made_at, self.sources_generation = connection.execute(SQL["about"]).fetchone()
        rows = connection.execute(SQL["queues"]).fetchall()
        self._stored = set(rows)
        self._queues = {(row[1], row[2]): Queue.from_row(row) for row in rows}
        self._dropped: Counter[tuple[str, str, str]] = Counter()

    def find(self, destination: str, signal: str) -> Queue | None:
        """The queue if there was ever anything in it."""
        return self._queues.get((destination, signal))

    def queue(self, destination: str, signal: str) -> Queue:
        """The queue, new if need be."""
        found = self._queues.get((destination, signal))
        if found is None:
            key = max((queue.key for queue in self._queues.values()), default=0) + 1
            found = self._queues[destination, signal] = Queue.new(key, destination, signal)
        return found

    def queues(self) -> Sequence[Queue]:
        """All of them."""
        return list(self._queues.values())

    def of(self, destination: str) -> Sequence[Queue]:
        """The queues of one destination."""
        return [queue for queue in self._queues.values() if queue.destination == destination]

    def drop(self, queue: Queue, reason: str, count: int) -> None:
        """Count messages as lost, or, with a negative number, as not lost after all."""
        self._dropped[queue.destination, queue.signal, reason] += count

    def drop_all(self, lost: Lost) -> None:
        """Add to the counters."""
        self._dropped.update(lost)

    def remove(self, shelf: Shelf, ids: Iterable[int]) -> tuple[int, int]:
        """Delete rows of the shelf by their ids; return how many there were, and the bytes of their bodies."""
        messages = size = 0
        first, last = shelf.span
        for run in runs_of(id_ for id_ in ids if first <= id_ <= last):
            count, weight = self.connection.execute(SQL[f"weigh_{shelf.table}"], run).fetchone()
            self.connection.execute(SQL[f"delete_{shelf.table}"], run)
            messages, size = messages + count, size + weight
        shelf.take_off(messages, size)
        return messages, size

    def save(self) -> bool:
        """Write what has changed; return whether something was lost, or found again."""
        changed = [row for queue in self._queues.values() if (row := queue.to_row()) not in self._stored]
        self.connection.executemany(SQL["put_queue"], changed)
        lost = [(*key, count) for key, count in self._dropped.items() if count]
        self.connection.executemany(SQL["add_dropped"], lost)
        return bool(lost)
