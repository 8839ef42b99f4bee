"""Two processes may share a store and not a folder: neither sees the other's journal, so neither may call it dead."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path

import pytest

from otel_taskflow import TaskManager
from otel_taskflow.journal.left import left_journals, mark_left
from otel_taskflow.manager.takeover import PERIOD
from otel_taskflow.model import TaskStatus
from tests.crash.rows import Rows

PATIENCE = 10.0


def wait_for_looks(manager: TaskManager) -> None:
    """Until it has looked for the dead twice."""
    assert manager.runtime.takeover is not None
    time.sleep(3 * PERIOD)


@pytest.fixture(params=["new", "copied"])
def folders(tmp_path: Path, request: pytest.FixtureRequest) -> tuple[Path, Path]:
    """Two folders. The second may be a copy of the first, as an image, a clone or rsync make one: it has its id."""
    one, two = tmp_path / "one", tmp_path / "two"
    if request.param == "copied":
        first = TaskManager(dir=str(one))
        first.start()
        first.stop()
        shutil.copytree(one, two)
    return one, two


def test_live_tasks_are_not_taken_over_by_a_process_with_another_folder(
    tmp_path: Path, folders: tuple[Path, Path], caplog: pytest.LogCaptureFixture
) -> None:
    store = tmp_path / "one" / "tasks.db"
    runs: list[str] = []
    running, goes_on = threading.Event(), threading.Event()

    def task() -> None:
        runs.append("begun")
        running.set()
        goes_on.wait(PATIENCE)

    one, two = (TaskManager(dir=str(folder), store=store) for folder in folders)
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
    assert ("it may run in a copy" in caplog.text) == (
        (folders[0] / "folder-id").read_text() == (folders[1] / "folder-id").read_text()
    )


def left() -> None:
    """A task."""


def start(folder: Path, store: Path) -> TaskManager:
    manager = TaskManager(dir=str(folder), store=store, max_sync_threads=1)
    manager.task(left)
    manager.start()
    return manager


def leave_a_task(folder: Path, store: Path) -> str:
    """A process ends in good order before a task has started; returns the task's id."""
    running, goes_on = threading.Event(), threading.Event()

    def blocking() -> None:
        running.set()
        goes_on.wait(PATIENCE)

    leaver = start(folder, store)
    leaver.add_task(blocking)
    assert running.wait(PATIENCE)
    task_id = leaver.add_task(left)
    leaver.stop(grace=0.0)
    goes_on.set()
    return task_id


def test_what_is_left_in_a_folder_is_taken_up_by_its_next_process_and_by_no_other(
    tmp_path: Path, folders: tuple[Path, Path]
) -> None:
    store = tmp_path / "one" / "tasks.db"
    task_id = leave_a_task(folders[0], store)

    stranger = start(folders[1], store)
    wait_for_looks(stranger)
    assert stranger.drain(PATIENCE)
    stranger.stop()
    assert Rows(tmp_path / "one").task(task_id).task.status is TaskStatus.PENDING
    heir = start(folders[0], store)
    assert Rows(tmp_path / "one").settled(task_id).task.status is TaskStatus.SUCCESS
    heir.stop()
    assert left_journals(folders[0]) == set()


def test_what_is_left_in_a_folder_that_moves_with_its_store_is_taken_up_where_it_goes(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    task_id = leave_a_task(before, before / "tasks.db")
    shutil.copytree(before, after)
    shutil.rmtree(before)
    heir = start(after, after / "tasks.db")
    assert Rows(after).settled(task_id).task.status is TaskStatus.SUCCESS
    heir.stop()


def test_where_no_mark_can_be_made_the_journal_stays_for_the_next_process(tmp_path: Path) -> None:
    (tmp_path / "left").write_text("in the way")
    task_id = leave_a_task(tmp_path, tmp_path / "tasks.db")
    assert len(list((tmp_path / "journal").iterdir())) == 1
    heir = start(tmp_path, tmp_path / "tasks.db")
    (tmp_path / "left").unlink()
    assert Rows(tmp_path).settled(task_id).task.status is TaskStatus.SUCCESS
    heir.stop()


def test_tasks_whose_journal_was_lost_wait_for_somebody_to_say_that_their_process_has_ended(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = tmp_path / "tasks.db"
    task_id = leave_a_task(tmp_path, store)
    [owner] = left_journals(tmp_path)
    shutil.rmtree(tmp_path / "left")
    heir = start(tmp_path, store)
    wait_for_looks(heir)
    assert Rows(tmp_path).task(task_id).task.status is TaskStatus.PENDING
    assert f"make the empty file {tmp_path / 'left' / owner}" in caplog.text
    mark_left(tmp_path, owner)
    assert Rows(tmp_path).settled(task_id).task.status is TaskStatus.SUCCESS
    heir.stop()
