"""Who makes log records gives way to a busy app, and does not put its work off for ever."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_taskflow import TaskManager, task_log
from otel_taskflow.telemetry import rests
from otel_taskflow.telemetry.rests import (
    CALM,
    LARGE_SHARE,
    LATE,
    LONG,
    LONG_STRETCH,
    OLD,
    PAUSE,
    RECENT,
    SHARE,
    SHORT,
    STRETCH,
    Rests,
)
from tests.telemetry.parts import Recorder

NOW = 1_780_000_000_000_000_000


class Interpreter:
    """A clock that moves by the pauses, each one longer by the time that others have the lock.

    Meanwhile the app's event loop computes for a ``share`` of the time; None: nobody knows.
    """

    def __init__(self, taken: float, age: float = 0.0, *, share: float | None = None, is_awaited: bool = False) -> None:
        self.seconds = self.spent = 0.0
        self.pauses: list[float] = []
        self.taken, self.share = taken, share
        self._reached = NOW - int(age * 1e9)
        self.rests = Rests(
            lambda: is_awaited,
            lambda: None if self.share is None else self.spent,
            pause=self._pause,
            clock=lambda: self.seconds,
            now=lambda: NOW,
        )

    def rest(self) -> None:
        self.rests.rest(self._reached)

    def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.seconds += seconds + self.taken
        self.spent += (seconds + self.taken) * (self.share or 0.0)

    def rest_for(self, seconds: float) -> None:
        """Rest again and again."""
        end = self.seconds + seconds
        while self.seconds < end:
            self.rest()


def test_a_calm_app_is_left_alone_for_a_moment_only() -> None:
    calm = Interpreter(taken=LATE / 10)
    calm.rest()
    assert calm.pauses == [SHORT]
    assert calm.rests.stretch == STRETCH


def test_an_app_that_stays_calm_is_left_alone_less_often() -> None:
    app = Interpreter(taken=LATE / 10)
    app.rest_for(CALM * 0.9)
    assert app.rests.stretch == STRETCH
    app.rest_for(CALM * 0.2)
    assert app.rests.stretch == LONG_STRETCH
    assert set(app.pauses) == {SHORT}


def test_an_app_that_becomes_busy_has_to_be_calm_for_as_long_again() -> None:
    app = Interpreter(taken=0.0)
    app.rest_for(CALM * 1.1)
    app.taken = LATE * 2
    app.rest()
    assert app.rests.stretch == 1
    app.taken = 0.0
    app.rest_for(CALM * 0.9)
    assert app.rests.stretch == STRETCH
    app.rest_for(CALM * 0.2)
    assert app.rests.stretch == LONG_STRETCH


@pytest.mark.parametrize(("share", "pause"), [(SHARE * 3, PAUSE), (LARGE_SHARE * 1.5, LONG)])
def test_an_app_that_answers_too_quickly_to_make_a_rest_late_goes_first_too(share: float, pause: float) -> None:
    app = Interpreter(taken=0.0, share=share)
    app.rest_for(LONG * 1.1)
    app.pauses.clear()
    app.rest_for(LONG * 3)
    assert app.pauses == [SHORT, pause] * (len(app.pauses) // 2)
    assert app.rests.stretch == 1


def test_an_app_with_few_requests_has_hundreds_of_records_in_a_second() -> None:
    app = Interpreter(taken=0.0, share=SHARE * 3)
    app.rest_for(1.0)
    assert len(app.pauses) / 2 > 250


def test_an_event_loop_that_only_keeps_its_timers_is_no_busy_app() -> None:
    app = Interpreter(taken=0.0, share=SHARE / 3)
    app.rest_for(CALM * 1.1)
    assert set(app.pauses) == {SHORT}
    assert app.rests.stretch == LONG_STRETCH


def test_a_loop_that_ends_meanwhile_says_nothing_about_the_app() -> None:
    app = Interpreter(taken=0.0, share=0.5)
    app.rest()
    app.share = None
    app.rest_for(LONG * 2)
    assert set(app.pauses) == {SHORT}


@pytest.mark.parametrize("age", [0.0, RECENT, -3600.0])
def test_a_busy_app_goes_first_and_waits_for_one_record_at_most(age: float) -> None:
    busy = Interpreter(LATE * 2, age)
    busy.rest()
    assert busy.pauses == [SHORT, LONG]
    assert busy.rests.stretch == 1


def test_nothing_is_put_off_while_somebody_waits_for_it() -> None:
    awaited = Interpreter(LATE * 2, is_awaited=True)
    awaited.rest()
    assert awaited.pauses == [SHORT]
    assert awaited.rests.stretch == STRETCH


def test_a_drain_does_not_wait_for_what_was_put_off(
    tmp_path: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rests, "LATE", -1.0)  # busy
    monkeypatch.setattr(rests, "LONG", 0.3)
    manager = TaskManager(dir=str(tmp_path), logger_provider=recorder.logger_provider)
    try:
        manager.add_task(write, 100)
        assert manager.drain(10.0)  # a third of what resting takes
    finally:
        manager.stop(1.0)
    assert len([each for each in recorder.records if each.event_name is None]) == 100


def write(lines: int) -> None:
    for number in range(lines):
        task_log(f"line {number}")


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
