"""A moment in which the system has no thread left for the process is only a moment."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, sleep

import pytest

from otel_taskflow.manager import TaskManager

PATIENCE = 20.0


@contextmanager
def no_threads() -> Iterator[None]:
    """As where a container is at its limit of processes."""

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with pytest.MonkeyPatch.context() as meanwhile:
        meanwhile.setattr(threading.Thread, "start", refuse)
        yield


@pytest.fixture
def manager() -> Iterator[TaskManager]:
    manager = TaskManager(store="memory")
    manager.start()
    yield manager
    manager.stop(grace=0.0)


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_what_was_added_meanwhile_runs_once_a_moment_later(manager: TaskManager, kind: str) -> None:
    ran: list[int] = []

    async def work() -> None:
        ran.append(1)

    with no_threads():
        manager.add_task(work if kind == "async" else ran.append, *([] if kind == "async" else [1]))
        sleep(1)
    assert manager.drain(PATIENCE)
    assert ran == [1]


def test_retries_and_timeouts_come_late_and_do_come(manager: TaskManager) -> None:
    runs: list[int] = []
    running, gate = threading.Event(), threading.Event()

    @manager.task(retries=1, delay=0.1)
    def fails_once() -> None:
        runs.append(1)
        if len(runs) == 1:
            raise ValueError("no")

    @manager.task(timeout=0.1)
    def slow() -> None:
        running.set()
        gate.wait(PATIENCE)

    manager.add_task(gate.wait, 0.01)
    assert manager.drain(PATIENCE)  # there is a thread for tasks now
    with no_threads():
        manager.add_task(fails_once)
        deadline = monotonic() + PATIENCE
        while not runs:
            assert monotonic() < deadline
            sleep(0.01)
        sleep(0.5)
    assert manager.drain(PATIENCE)
    assert len(runs) == 2
    task_id = manager.add_task(slow)
    assert running.wait(PATIENCE)
    while manager.runtime.engine.get(task_id) is not None:
        assert monotonic() < deadline + PATIENCE
        sleep(0.01)
    gate.set()
