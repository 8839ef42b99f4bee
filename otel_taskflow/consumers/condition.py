"""What is known of a consumer's progress, and what that means for its health. Pure."""

from __future__ import annotations

from typing import NamedTuple

from otel_taskflow.health import DEGRADED, OK, Figure, PartHealth
from otel_taskflow.values.lines import one_line
from otel_taskflow.values.text import as_text, cut

STILL = 10.0
"""Seconds without taking anything, while there is something, from which on a consumer is said to stand still."""
LONGEST_TEXT = 500
"""Bytes of an error's text that health shows."""
_OBSERVER = "observer:"


class Condition(NamedTuple):
    """How far a consumer is."""

    lag: int
    max_lag: int | None
    skipped: int
    still: float
    """Seconds since it last took something, while there is something to take."""
    trouble: Exception | None
    """What its last try raised."""


def part_of(consumer: str) -> str:
    """What a consumer's part is called."""
    return consumer if consumer.startswith(_OBSERVER) else f"consumer:{consumer}"


def condition_of(consumer: str, condition: Condition) -> PartHealth:
    """The consumer's health."""
    part, lag = part_of(consumer), condition.lag
    figures: dict[str, Figure] = {"lag": lag, "skipped": condition.skipped}
    if condition.trouble is not None and lag:
        why = f"it fails and tries again, {lag} events behind: {_told(condition.trouble)}"
        return PartHealth(part, DEGRADED, why, _remedy(consumer), figures, is_told=True)
    if lag and condition.still > STILL:
        why = f"it has taken nothing for {condition.still:.0f} s, {lag} events behind"
        return PartHealth(part, DEGRADED, why, _remedy(consumer), figures)
    if condition.max_lag is not None and lag > condition.max_lag // 2:
        why = f"it is {lag} events behind, and skipped forward from {condition.max_lag} on"
        return PartHealth(part, DEGRADED, why, "make it faster, or let it see fewer lines (min_level=)", figures)
    return PartHealth(part, OK, figures=figures)


def _told(error: Exception) -> str:
    return one_line(cut(as_text(error), LONGEST_TEXT))


def _remedy(consumer: str) -> str:
    if consumer in ("store", "outbox"):
        place = "store" if consumer == "store" else "spool"
        return f"nothing is lost, it waits in the journal; see the part {place}"
    return "see what it waits for, and the log"
