"""Who makes log records gives way to a busy app, and does not put its work off for ever."""

from __future__ import annotations

import pytest

from otel_taskflow.telemetry.rests import LATE, LONG, OLD, RECENT, SHORT, STRETCH, Rests

NOW = 1_780_000_000_000_000_000


class Interpreter:
    """A clock that moves by the pauses, each one longer by the time that others have the lock."""

    def __init__(self, taken: float, age: float = 0.0) -> None:
        self.seconds = 0.0
        self.pauses: list[float] = []
        self.taken = taken
        self._reached = NOW - int(age * 1e9)
        self.rests = Rests(pause=self._pause, clock=lambda: self.seconds, now=lambda: NOW)

    def rest(self) -> None:
        self.rests.rest(self._reached)

    def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.seconds += seconds + self.taken


def test_a_calm_app_is_left_alone_for_a_moment_only() -> None:
    calm = Interpreter(taken=LATE / 10)
    calm.rest()
    assert calm.pauses == [SHORT]
    assert calm.rests.stretch == STRETCH


@pytest.mark.parametrize("age", [0.0, RECENT, -3600.0])
def test_a_busy_app_goes_first_and_waits_for_one_record_at_most(age: float) -> None:
    busy = Interpreter(LATE * 2, age)
    busy.rest()
    assert busy.pauses == [SHORT, LONG]
    assert busy.rests.stretch == 1


def test_when_the_app_is_calm_again_records_are_made_as_before() -> None:
    app = Interpreter(LATE * 2)
    app.rest()
    app.taken = 0.0
    app.rest()
    assert app.rests.stretch == STRETCH


@pytest.mark.parametrize(
    ("age", "rest", "stretch"),
    [((RECENT + OLD) / 2, LONG / 2, STRETCH / 2), (OLD, 0.0, STRETCH), (OLD * 100, 0.0, STRETCH)],
)
def test_the_older_records_are_the_less_they_are_put_off(age: float, rest: float, stretch: int) -> None:
    late = Interpreter(LATE * 5, age)
    late.rest()
    assert late.pauses == [SHORT, rest]
    assert late.rests.stretch == stretch
