"""Timers: in their order, once, and nothing of a forgotten one is kept."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from otel_taskflow import TaskManager
from otel_taskflow.engine.timers import FEW, Timers

HOUR = 3600 * 10**9


class Argument:
    """Something whose end can be seen."""


@pytest.fixture
def timers() -> Iterator[Timers]:
    timers = Timers("timers")
    yield timers
    timers.close()


def test_calls_come_in_the_order_of_their_time(timers: Timers) -> None:
    came: list[str] = []
    done = threading.Event()
    timers.after(HOUR, lambda: came.append("never"))
    timers.after(40_000_000, done.set)
    timers.after(20_000_000, lambda: came.append("second"))
    timers.after(0, lambda: came.append("first"))
    assert done.wait(10)
    assert came == ["first", "second"]


def test_a_forgotten_call_does_not_come_and_lets_go_what_it_held(timers: Timers) -> None:
    held, came, done = Argument(), [], threading.Event()
    gone = weakref.ref(held)
    timer = timers.after(10_000_000, partial(came.append, held))
    del held
    timers.forget(timer)
    timers.forget(timer)
    assert gone() is None
    timers.after(30_000_000, done.set)
    assert done.wait(10)
    assert came == []


def test_forgotten_timers_are_at_most_half_of_many(timers: Timers) -> None:
    kept = [timers.after(HOUR, int) for _ in range(10)]
    for _ in range(10_000):
        timers.forget(timers.after(HOUR, int))
        assert len(timers) <= len(kept) + FEW + 1
    assert all(timer.call is int for timer in kept)


@pytest.mark.parametrize("options", [{"timeout": 3600.0}, {"retries": 1, "delay": 3600.0}], ids=["timeout", "retry"])
def test_a_task_that_has_ended_is_not_kept_until_its_timer_would_have_come(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, options: dict[str, float]
) -> None:
    manager = TaskManager(dir=tmp_path)
    argument = Argument()
    gone, tried = weakref.ref(argument), threading.Event()

    @manager.task(**options)
    def work(_: object) -> None:
        tried.set()
        if "retries" in options:
            raise ValueError("again")

    task_id = manager.add_task(work, argument)
    del argument
    assert tried.wait(10)
    if "retries" in options:
        assert not manager.drain(0.5)
        manager.runtime.engine.cancel(task_id)
    assert manager.drain(10)
    caplog.clear()  # the record of a failure has its frames,
    gc.collect()  # and they have the failure
    assert gone() is None
    manager.stop()
