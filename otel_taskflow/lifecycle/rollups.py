"""Figures per task name and minute, as deltas that a store adds up."""

from __future__ import annotations

from bisect import bisect_left

from otel_taskflow.events import AttemptEnded, TaskSettled
from otel_taskflow.model import AttemptOutcome, TaskStatus
from otel_taskflow.ports import DURATION_BUCKETS, RollupDelta

_MINUTE = 60_000_000_000
_BOUNDS = [int(bound * 1e9) for bound in DURATION_BUCKETS]


class _Figures:
    """Of one task name in one minute."""

    __slots__ = ("cancelled", "durations", "enqueued", "failed", "interrupted", "retried", "succeeded")

    def __init__(self) -> None:
        self.enqueued = self.succeeded = self.failed = self.retried = self.cancelled = self.interrupted = 0
        self.durations: list[int] = []


class Rollups:
    """Adds up one slice."""

    def __init__(self) -> None:
        self._figures: dict[tuple[str, int], _Figures] = {}

    def enqueued(self, name: str, time: int) -> None:
        """A task was added."""
        self._of(name, time).enqueued += 1

    def settled(self, name: str, event: TaskSettled) -> None:
        """A task ended without an attempt's end."""
        _count_status(self._of(name, event.time), event.status)

    def ended(self, name: str, event: AttemptEnded) -> None:
        """An attempt ended; only the last one counts for the task's result."""
        figures = self._of(name, event.time)
        _count_status(figures, event.status)
        if event.outcome is not AttemptOutcome.INTERRUPTED:
            figures.durations.append(event.duration)

    def deltas(self) -> list[RollupDelta]:
        """One per name and minute."""
        return [
            RollupDelta(
                name,
                minute,
                enqueued=each.enqueued,
                succeeded=each.succeeded,
                failed=each.failed,
                retried=each.retried,
                cancelled=each.cancelled,
                interrupted=each.interrupted,
                duration_sum=sum(each.durations),
                duration_buckets=_histogram(each.durations),
            )
            for (name, minute), each in self._figures.items()
        ]

    def _of(self, name: str, time: int) -> _Figures:
        key = (name, time // _MINUTE)
        figures = self._figures.get(key)
        if figures is None:
            figures = self._figures[key] = _Figures()
        return figures


def _count_status(figures: _Figures, status: TaskStatus) -> None:
    """Comparisons, the common one first: an enum's member as a key costs more than all of them."""
    if status is TaskStatus.SUCCESS:
        figures.succeeded += 1
    elif status is TaskStatus.FAILED:
        figures.failed += 1
    elif status is TaskStatus.CANCELLED:
        figures.cancelled += 1
    elif status is TaskStatus.INTERRUPTED:
        figures.interrupted += 1
    else:
        figures.retried += 1


def _histogram(durations: list[int]) -> tuple[int, ...]:
    if not durations:
        return ()
    buckets = [0] * (len(_BOUNDS) + 1)
    for duration in durations:
        buckets[bisect_left(_BOUNDS, duration)] += 1
    return tuple(buckets)
