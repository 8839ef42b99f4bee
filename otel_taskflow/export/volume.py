"""How much is exported: an estimate of the bytes a day of one signal of one destination. Pure.

Bytes are those of the encoded messages, which back ends charge for; compressed they are fewer on the wire.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from otel_taskflow.spool import Backlog, Counters

DAY = 86400.0
AT_LEAST = 60.0
"""Seconds that must have been watched before anything is said."""
ENOUGH = 600.0
"""Seconds of one process that tell more than the counters of the spool, which are of all days."""
_SPOOLED_AND_GONE = ("disk_budget", "age_limit", "quarantined", "spool_corrupt")
"""Reasons of drops whose messages were in the spool and are in neither figure of it."""


class Volume(NamedTuple):
    """What was put into the spool up to a moment."""

    messages: int
    bytes: float
    time: int
    """Unix nanoseconds."""


def volume_of(backlog: Backlog, delivered: Counters, dropped: Mapping[str, int], time: int) -> Volume:
    """From the figures of a queue. Of messages that were dropped only the number is known: they count as the others do."""
    lost = sum(dropped.get(reason, 0) for reason in _SPOOLED_AND_GONE)
    known, size = backlog.messages + delivered.delivered, backlog.bytes + delivered.bytes
    mean = size / known if known else 0.0
    return Volume(known + lost, size + lost * mean, time)


def bytes_a_day(now: Volume, befores: Iterable[Volume]) -> int | None:
    """The estimate, from the first of these moments that lies back long enough; None while none does."""
    candidates = [(each, (now.time - each.time) / 1e9) for each in befores]
    for least in (ENOUGH, AT_LEAST):
        for before, seconds in candidates:
            if seconds >= least:
                return round(max(0.0, now.bytes - before.bytes) / seconds * DAY)
    return None


__all__ = ["AT_LEAST", "ENOUGH", "Volume", "bytes_a_day", "volume_of"]
