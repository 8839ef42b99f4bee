"""Who makes log records gives way to a busy app, and does not put its work off for ever."""

from __future__ import annotations

import pytest

from otel_taskflow.telemetry.rests import FAR, LATE, LONG, SHORT, Rests


class Interpreter:
    """A clock that moves by the pauses, each one longer by the time that others have the lock."""

    def __init__(self, taken: float, lag: int) -> None:
        self.now = 0.0
        self.pauses: list[float] = []
        self._taken = taken
        self.rests = Rests(lambda: lag, pause=self._pause, clock=lambda: self.now)

    def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds + self._taken


def test_a_calm_app_is_left_alone_for_a_moment_only() -> None:
    calm = Interpreter(taken=LATE / 10, lag=10)
    calm.rests.rest()
    assert calm.pauses == [SHORT]


def test_a_busy_app_goes_first() -> None:
    busy = Interpreter(taken=LATE * 2, lag=0)
    busy.rests.rest()
    assert busy.pauses == [SHORT, LONG]


@pytest.mark.parametrize(("lag", "rest"), [(FAR // 2, LONG / 2), (FAR, 0.0), (FAR * 2, 0.0)])
def test_the_further_behind_records_are_the_less_they_are_put_off(lag: int, rest: float) -> None:
    behind = Interpreter(LATE * 5, lag)
    behind.rests.rest()
    assert behind.pauses == [SHORT, rest]
