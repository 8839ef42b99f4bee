"""``drain``: one limit for all that it waits for."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from otel_taskflow import LogEvent, TaskManager, TaskObserver, task_log


class Slow(TaskObserver):
    """Takes its time for a line."""

    def __init__(self) -> None:
        self.may_go_on = threading.Event()
        self.seen: list[str] = []

    def on_log(self, event: LogEvent) -> None:
        self.may_go_on.wait(20)
        self.seen.append(event.message)


@pytest.fixture
def observer() -> Slow:
    return Slow()


@pytest.fixture
def manager(tmp_path: Path, observer: Slow) -> Any:
    manager = TaskManager(dir=tmp_path, observers=[observer], shutdown_grace=0.1)
    yield manager
    observer.may_go_on.set()
    manager.stop()


def say_and_sleep(seconds: float) -> None:
    task_log("said")
    time.sleep(seconds)


def test_tasks_and_observers_share_its_limit(manager: TaskManager) -> None:
    manager.add_task(say_and_sleep, 0.6)
    begun = time.monotonic()
    assert not manager.drain(1.0)
    assert time.monotonic() - begun < 1.5


def test_without_a_limit_it_waits_for_observers_as_for_tasks(manager: TaskManager, observer: Slow) -> None:
    manager.add_task(say_and_sleep, 0.0)
    threading.Timer(0.5, observer.may_go_on.set).start()
    assert manager.drain(None)
    assert observer.seen == ["said"]
