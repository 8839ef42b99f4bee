"""A log handler of the app that raises harms no part of the engine."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from otel_taskflow.manager import TaskManager
from otel_taskflow.model import TaskStatus
from tests.engine.conftest import Seen


class Raising(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        raise OSError("disk full")


@pytest.fixture
def seen() -> Iterator[Seen]:
    """A running manager of one thread, from whose start on every log call raises."""
    manager = TaskManager(store="memory", max_sync_threads=1)
    manager.start()
    logger = logging.getLogger("otel_taskflow")
    handler, level = Raising(), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield Seen(manager)
    logger.removeHandler(handler)
    logger.setLevel(level)
    manager.stop()


def fails() -> None:
    raise ValueError


def succeeds() -> None:
    """A task."""


@pytest.mark.parametrize("delay", [0.0, 0.01])
def test_after_failures_that_are_logged_in_vain_tasks_run_on(seen: Seen, delay: float) -> None:
    task = seen.manager.task(retries=1, delay=delay)(fails)
    ids = [seen.manager.add_task(each) for each in (task, succeeds, task, succeeds)]
    assert seen.manager.drain(10.0)
    assert [seen.task(task_id).status for task_id in ids] == [TaskStatus.FAILED, TaskStatus.SUCCESS] * 2


def test_a_timer_that_fails_does_not_end_the_others(seen: Seen) -> None:
    seen.manager.runtime.parts.timers.after(0, fails)
    task_id = seen.manager.add_task(seen.manager.task(retries=1, delay=0.05)(fails))
    assert seen.manager.drain(10.0)
    assert seen.task(task_id).attempts == 2


def test_a_thread_whose_call_raises_serves_on(seen: Seen) -> None:
    seen.manager.runtime.parts.threads.submit(fails)
    task_id = seen.manager.add_task(succeeds)
    assert seen.manager.drain(10.0)
    assert seen.task(task_id).status is TaskStatus.SUCCESS
