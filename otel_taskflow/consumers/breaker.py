"""A circuit breaker: who fails again and again is left alone for a while."""

from __future__ import annotations

import time
from collections.abc import Callable


class CircuitBreaker:
    """Opens after ``threshold`` failures in a row, for ``pause`` seconds; then one more failure opens it again.

    Not safe for use by several threads at once.
    """

    def __init__(self, threshold: int, pause: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._threshold = threshold
        self._pause = pause
        self._clock = clock
        self._failures = 0
        self._open_until = 0.0

    @property
    def is_open(self) -> bool:
        """Whether calls are to be left out now."""
        return self._failures >= self._threshold and self._clock() < self._open_until

    @property
    def is_tripped(self) -> bool:
        """Whether it has opened and nothing has gone well since: one more failure opens it again."""
        return self._failures >= self._threshold

    def succeeded(self) -> None:
        """A call went well: forget the failures."""
        self._failures = 0

    def failed(self) -> bool:
        """A call failed; returns True if that opened the breaker for the first time in this row of failures."""
        self._failures += 1
        if self._failures >= self._threshold:
            self._open_until = self._clock() + self._pause
        return self._failures == self._threshold


__all__ = ["CircuitBreaker"]
