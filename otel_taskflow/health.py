"""How a part is: one shape for the journal, the store, the spool, each consumer, destination and observer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

OK = "ok"
DEGRADED = "degraded"
FAILED = "failed"

WORST_FIRST = (FAILED, DEGRADED, OK)
ESSENTIAL = frozenset({"manager", "journal", "store", "consumer:store"})
"""Parts without which tasks are not kept. All others are telemetry, which never makes a report worse than "degraded"."""

Figure = int | float | str | None


class PartHealth(NamedTuple):
    """One part, as it is now."""

    part: str
    """ "journal", "store", "spool", "destination:tempo", ..."""
    state: str
    """ "ok", "degraded" or "failed"."""
    why: str = ""
    remedy: str = ""
    figures: Mapping[str, Figure] = {}
    is_told: bool = False
    """Whether the part says in the log itself that it came into this state, so that nobody else has to."""


class HealthReport(NamedTuple):
    """All parts, and the worst state of them. Telemetry never makes it worse than "degraded"."""

    state: str
    parts: Sequence[PartHealth]
    time: int
    """Unix nanoseconds."""

    @property
    def troubled(self) -> Sequence[PartHealth]:
        """The parts that are not well, the worst first."""
        return sorted((each for each in self.parts if each.state != OK), key=lambda each: WORST_FIRST.index(each.state))


def report_of(parts: Iterable[PartHealth], time: int) -> HealthReport:
    """A report of these parts. Of two with one name, which processors and exporters of one folder may have, the worse counts."""
    worst: dict[str, PartHealth] = {}
    for each in parts:
        known = worst.get(each.part)
        worst[each.part] = each if known is None else worse(known, each)
    return HealthReport(
        min(map(_counted, worst.values()), key=WORST_FIRST.index, default=OK), list(worst.values()), time
    )


def worse(first: PartHealth, second: PartHealth) -> PartHealth:
    """The one in the worse state, with the figures of both."""
    chosen = min((first, second), key=lambda each: WORST_FIRST.index(each.state))
    return chosen._replace(figures={**first.figures, **second.figures})


def _counted(part: PartHealth) -> str:
    return part.state if part.part in ESSENTIAL or part.state == OK else DEGRADED


__all__ = ["DEGRADED", "ESSENTIAL", "FAILED", "OK", "Figure", "HealthReport", "PartHealth", "report_of", "worse"]
