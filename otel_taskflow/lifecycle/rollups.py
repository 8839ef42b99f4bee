"""Figures per task name and minute, as deltas that a store adds up."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter

from otel_taskflow.events import AttemptEnded, TaskSettled
from otel_taskflow.model import AttemptOutcome, TaskStatus
from otel_taskflow.ports import DURATION_BUCKETS, RollupDelta

_MINUTE = 60_000_000_000
_FIELD_OF_STATUS = {
    TaskStatus.SUCCESS: "succeeded",
    TaskStatus.FAILED: "failed",
    TaskStatus.CANCELLED: "cancelled",
    TaskStatus.INTERRUPTED: "interrupted",
}
_BOUNDS = [int(bound * 1e9) for bound in DURATION_BUCKETS]


class Rollups:
    """Adds up one slice."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, int], Counter[str]] = {}
        self._durations: dict[tuple[str, int], list[int]] = {}

    def enqueued(self, name: str, time: int) -> None:
        """A task was added."""
        self._count(name, time, "enqueued")

    def settled(self, name: str, event: TaskSettled) -> None:
        """A task ended without an attempt's end."""
        self._count(name, event.time, _FIELD_OF_STATUS[event.status])

    def ended(self, name: str, event: AttemptEnded) -> None:
        """An attempt ended; only the last one counts for the task's result."""
        field = _FIELD_OF_STATUS.get(event.status, "retried")
        self._count(name, event.time, field)
        if event.outcome is not AttemptOutcome.INTERRUPTED:
            self._durations.setdefault((name, event.time // _MINUTE), []).append(event.duration)

    def deltas(self) -> list[RollupDelta]:
        """One per name and minute."""
        return [self._delta(name, minute, counts) for (name, minute), counts in self._counts.items()]

    def _delta(self, name: str, minute: int, counts: Counter[str]) -> RollupDelta:
        durations = self._durations.get((name, minute), [])
        return RollupDelta(
            name,
            minute,
            enqueued=counts["enqueued"],
            succeeded=counts["succeeded"],
            failed=counts["failed"],
            retried=counts["retried"],
            cancelled=counts["cancelled"],
            interrupted=counts["interrupted"],
            duration_sum=sum(durations),
            duration_buckets=_histogram(durations),
        )

    def _count(self, name: str, time: int, field: str) -> None:
        key = (name, time // _MINUTE)
        counts = self._counts.get(key)
        if counts is None:
            counts = self._counts[key] = Counter()
        counts[field] += 1


def _histogram(durations: list[int]) -> tuple[int, ...]:
    if not durations:
        return ()
    buckets = [0] * (len(_BOUNDS) + 1)
    for duration in durations:
        buckets[bisect_left(_BOUNDS, duration)] += 1
    return tuple(buckets)
