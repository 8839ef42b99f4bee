"""Two processes may share a store and not a folder: neither sees the other's journal, so neither may call it dead."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from otel_taskflow import TaskManager
from otel_taskflow.manager.takeover import PERIOD
from otel_taskflow.model import TaskStatus
from tests.crash.rows import Rows

PATIENCE = 10.0


def wait_for_looks(manager: TaskManager) -> None:
    """Until it has looked for the dead twice."""
    assert manager.runtime.takeover is not None
    time.sleep(2 * PERIOD)


def test_live_tasks_are_not_taken_over_by_a_process_with_another_folder(tmp_path: Path) -> None:
    store = tmp_path / "one" / "tasks.db"
    runs: list[str] = []
    running, goes_on = threading.Event(), threading.Event()

    def task() -> None:
        runs.append("begun")
        running.set()
        goes_on.wait(PATIENCE)

    one, two = (TaskManager(dir=str(tmp_path / name), store=store) for name in ("one", "two"))
    for manager in (one, two):
        manager.task(requeue_on_interrupt=True)(task)
    task_id = one.add_task(task)
    assert running.wait(PATIENCE)
    assert one.runtime.tailer.flush()
    try:
        wait_for_looks(two)
        assert two.drain(PATIENCE)
        found = Rows(tmp_path / "one").task(task_id).task
        assert (found.status, found.owner) == (TaskStatus.RUNNING, one.runtime.writer.id)
    finally:
        goes_on.set()
        one.stop()
        two.stop()
    assert Rows(tmp_path / "one").task(task_id).task.status is TaskStatus.SUCCESS
    assert runs == ["begun"]


def test_what_is_left_in_a_folder_is_taken_up_by_its_next_process_and_by_no_other(tmp_path: Path) -> None:
    store = tmp_path / "one" / "tasks.db"
    running, goes_on = threading.Event(), threading.Event()

    def blocking() -> None:
        running.set()
        goes_on.wait(PATIENCE)

    def left() -> None:
        """A task."""

    def start(folder: str) -> TaskManager:
        manager = TaskManager(dir=str(tmp_path / folder), store=store, max_sync_threads=1)
        manager.task(left)
        manager.start()
        return manager

    leaver = start("one")
    leaver.add_task(blocking)
    assert running.wait(PATIENCE)
    task_id = leaver.add_task(left)
    leaver.stop(grace=0.0)
    goes_on.set()

    stranger = start("two")
    wait_for_looks(stranger)
    assert stranger.drain(PATIENCE)
    stranger.stop()
    assert Rows(tmp_path / "one").task(task_id).task.status is TaskStatus.PENDING
    heir = start("one")
    assert Rows(tmp_path / "one").settled(task_id).task.status is TaskStatus.SUCCESS
    heir.stop()
