"""Ids that follow each other, as (first, last). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

Run = tuple[int, int]


class Eviction(NamedTuple):
    """Ids that went unsent, all for the same reason."""

    first: int
    last: int
    reason: str


def runs_of(ids: Iterable[int]) -> list[Run]:
    """The ids in order, as runs."""
    runs: list[Run] = []
    first = last = None
    for id_ in sorted(ids):
        if last is None or first is None:
            first = id_
        elif id_ > last + 1:
            runs.append((first, last))
            first = id_
        last = id_
    if first is not None and last is not None:
        runs.append((first, last))
    return runs


def take_back(evictions: Sequence[Eviction], arrived: Sequence[Run]) -> tuple[list[Eviction], list[Eviction]]:
    """Split evictions into what stays evicted and what did arrive."""
    lost, found = list(evictions), []
    for first, last in arrived:
        remaining: list[Eviction] = []
        for each in lost:
            low, high = max(first, each.first), min(last, each.last)
            if low > high:
                remaining.append(each)
                continue
            found.append(Eviction(low, high, each.reason))
            if each.first < low:
                remaining.append(each._replace(last=low - 1))
            if high < each.last:
                remaining.append(each._replace(first=high + 1))
        lost = remaining
    return lost, found
