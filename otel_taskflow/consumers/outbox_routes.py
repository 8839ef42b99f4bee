"""What of the journal goes to one destination."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from otel_taskflow.export import Destination, FinishedAttempt
from otel_taskflow.model import AttemptOutcome
from otel_taskflow.values.levels import LEVELS

_logger = logging.getLogger("otel_taskflow")

T = TypeVar("T")

SECOND = 1_000_000_000
_PROBLEMS = frozenset(
    {AttemptOutcome.FAILED, AttemptOutcome.RETRYING, AttemptOutcome.TIMED_OUT, AttemptOutcome.INTERRUPTED}
)


class RateLimit:
    """A token bucket that holds one second's worth. Its clock is the events' own, so a replay decides alike."""

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._tokens = max(1.0, per_second)
        self._at = 0

    def takes(self, time: int) -> bool:
        """Whether an event of this time, Unix nanoseconds, still fits."""
        passed = max(0, time - self._at) / SECOND
        was_set_back = time < self._at - SECOND  # and not just an event of another thread
        self._at = time if was_set_back else max(self._at, time)
        self._tokens = min(max(1.0, self._per_second), self._tokens + passed * self._per_second)
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


class Route:
    """The filters of one destination, decided once."""

    def __init__(self, destination: Destination, *, exports_spans: bool) -> None:
        filters = destination.filters
        self.name = destination.name
        self.wants_spans = exports_spans and "traces" in destination.endpoints
        self.wants_logs = "logs" in destination.endpoints
        self.wants_lines = self.wants_logs and filters.task_logs != "events"
        self.wants_line_events = self.wants_spans and filters.task_logs != "logs"
        self.hook = filters.before_export
        self.levels = frozenset(LEVELS[LEVELS.index(filters.min_level) :])
        self._detail = filters.detail
        self._slow = filters.slow
        rate = filters.max_lines_per_second
        self.kept_as = filters.min_level if rate is None else f"{filters.min_level} {self.name}"
        """The group of an attempt's lines that are kept for the events of its span."""
        self.is_limited = rate is not None
        self.within_rate: Callable[[int], bool] = _always if rate is None else RateLimit(rate).takes
        self._has_warned = False

    @property
    def decides_late(self) -> bool:
        """Whether an attempt's lines wait for its end."""
        return self._detail != "always"

    def tells_all(self, attempt: FinishedAttempt) -> bool:
        """Whether the lines of an attempt go out, now that it has ended."""
        if self._detail == "always":
            return True
        if self._detail == "on_problem":
            return AttemptOutcome(attempt.outcome) in _PROBLEMS or attempt.attempt > 0 or self._is_slow(attempt)
        return self._ask(self._detail, attempt)

    def _is_slow(self, attempt: FinishedAttempt) -> bool:
        return self._slow is not None and attempt.duration >= self._slow

    def _ask(self, detail: Any, attempt: FinishedAttempt) -> bool:
        """What is in doubt is told: a line too many costs less than one that is missed."""
        try:
            return bool(detail(attempt))
        except Exception as error:  # noqa: BLE001 - a function of the user's must not hold up the outbox
            self.warn_once("detail= of %s failed; all lines go out where it does", error)
            return True

    def warn_once(self, message: str, error: Exception) -> None:
        """Log that a function of the user's failed, the first time."""
        if not self._has_warned:
            self._has_warned = True
            _logger.warning("otel_taskflow: %s", message % self.name, exc_info=error)

    def __repr__(self) -> str:
        return f"Route({self.name!r})"


def _always(_: int) -> bool:
    return True


def routes_of(destinations: Sequence[Destination], *, exports_spans: bool) -> list[Route]:
    """One route a destination."""
    return [Route(destination, exports_spans=exports_spans) for destination in destinations]
