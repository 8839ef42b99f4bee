"""What goes unsent: the oldest beyond the disk budget, and what is too old. Each is counted."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from typing import NamedTuple

from otel_taskflow.spool.ledger import OVERHEAD, Ledger, Queue, Shelf
from otel_taskflow.spool.messages import AGE_LIMIT, DISK_BUDGET
from otel_taskflow.spool.runs import Eviction, runs_of, take_back
from otel_taskflow.spool.statements import SQL

ROWS_AT_ONCE = 10_000
"""Rows that one transaction evicts at most; some 30 ms. What is left goes with the next one."""
EVICTIONS_KEPT = 64
"""Runs of evicted ids that a queue remembers: enough for what is being sent at the moment."""


class _Row(NamedTuple):
    time: int
    place: int
    id: int
    size: int


def make_room(ledger: Ledger, destination: str, max_bytes: int) -> None:
    """Evict the oldest of a destination that are beyond its budget."""
    queues = ledger.of(destination)
    excess = sum(shelf.weight for _, shelf in _shelves(queues)) - max_bytes
    if excess > 0:
        _evict(ledger, queues, excess)


def expire(ledger: Ledger, queue: Queue, before: int) -> int:
    """Delete what is older, as far as it is first in line; return how many of at most ``ROWS_AT_ONCE``."""
    expired = 0
    for shelf in (queue.waiting, queue.held):
        ids = [row.id for row in takewhile(lambda row: row.time < before, _oldest(ledger, shelf))]
        expired += _lose(ledger, queue, shelf, ids, AGE_LIMIT)
    return expired


def count_as_arrived(ledger: Ledger, queue: Queue, ids: Sequence[int]) -> int:
    """Of these ids, which arrived, those that were evicted meanwhile are no loss; return how many."""
    stored = [Eviction(*row) for row in ledger.connection.execute(SQL["evictions"], (queue.key,))]
    lost, arrived = take_back(stored, runs_of(ids))
    if arrived:
        ledger.connection.execute(SQL["forget_evictions"], (queue.key,))
        for each in lost:
            ledger.connection.execute(SQL["add_eviction"], _named(queue, each))
    for first, last, reason in arrived:
        ledger.drop(queue, reason, first - last - 1)
    return sum(each.last - each.first + 1 for each in arrived)


def _evict(ledger: Ledger, queues: Sequence[Queue], excess: int) -> None:
    shelves = _shelves(queues)
    for place, ids in _oldest_of_all(ledger, shelves, excess).items():
        queue, shelf = shelves[place]
        _lose(ledger, queue, shelf, ids, DISK_BUDGET)


def _oldest_of_all(ledger: Ledger, shelves: Sequence[tuple[Queue, Shelf]], size: int) -> Mapping[int, list[int]]:
    """Ids by the place of their shelf: in the order of time, until they make up the size."""
    chosen: dict[int, list[int]] = defaultdict(list)
    for row in heapq.merge(*(_oldest(ledger, shelf, place) for place, (_, shelf) in enumerate(shelves))):
        chosen[row.place].append(row.id)
        size -= row.size + OVERHEAD
        if size <= 0:
            break
    return chosen


def _shelves(queues: Sequence[Queue]) -> Sequence[tuple[Queue, Shelf]]:
    return [(queue, shelf) for queue in queues for shelf in (queue.waiting, queue.held)]


def _oldest(ledger: Ledger, shelf: Shelf, place: int = 0) -> Iterator[_Row]:
    if shelf.messages:
        for time, id_, size in ledger.connection.execute(SQL[f"oldest_{shelf.table}"], (*shelf.span, ROWS_AT_ONCE)):
            yield _Row(time, place, id_, size)


def _lose(ledger: Ledger, queue: Queue, shelf: Shelf, ids: Sequence[int], reason: str) -> int:
    count, _ = ledger.remove(shelf, ids)
    ledger.drop(queue, reason, count)
    if shelf is queue.waiting:
        _remember(ledger, queue, ids, reason)
    return count


def _remember(ledger: Ledger, queue: Queue, ids: Sequence[int], reason: str) -> None:
    for first, last in runs_of(ids):
        values = _named(queue, Eviction(first, last, reason))
        if not ledger.connection.execute(SQL["extend_eviction"], values).rowcount:
            ledger.connection.execute(SQL["add_eviction"], values)
            ledger.connection.execute(SQL["trim_evictions"], {"queue": queue.key, "kept": EVICTIONS_KEPT})


def _named(queue: Queue, eviction: Eviction) -> dict[str, int | str]:
    return {"queue": queue.key, **eviction._asdict()}
