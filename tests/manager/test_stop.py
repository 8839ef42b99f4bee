"""What a manager does with tasks while it stops."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from otel_taskflow import LogEvent, TaskManager, TaskObserver, task_log
from otel_taskflow.errors import ConfigurationError, ManagerClosedError, StoreError
from otel_taskflow.model import TaskStatus
from tests.crash.rows import Rows

PATIENCE = 10.0


class Stop:
    """A stop in another thread, since it waits for tasks."""

    def __init__(self, manager: TaskManager, grace: float) -> None:
        self.announced = threading.Event()
        manager.on_stop(self.announced.set)
        self._thread = threading.Thread(target=manager.stop, args=(grace,))
        self._thread.start()

    def done(self) -> None:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()


def note(text: str) -> None:
    task_log(text)


def test_a_task_added_by_a_task_in_its_grace_is_run(tmp_path: Path) -> None:
    manager = TaskManager(dir=str(tmp_path))
    stopping = threading.Event()
    running = threading.Event()
    added: list[str] = []

    def first() -> None:
        running.set()
        assert stopping.wait(PATIENCE)
        added.append(manager.add_task(second))

    def second() -> None:
        """A task."""

    manager.on_stop(stopping.set)
    added.append(manager.add_task(first))
    assert running.wait(PATIENCE)
    Stop(manager, PATIENCE).done()

    assert [Rows(tmp_path).task(task_id).task.status for task_id in added] == [TaskStatus.SUCCESS] * 2
    assert not list((tmp_path / "journal").iterdir())


def test_what_waits_for_a_thread_at_the_end_is_left_and_does_not_start_here_any_more(tmp_path: Path) -> None:
    manager = TaskManager(dir=str(tmp_path), max_sync_threads=1)
    ends, running, has_ended = threading.Event(), threading.Event(), threading.Event()
    runs: list[str] = []

    def blocking() -> None:
        running.set()
        ends.wait(PATIENCE)
        has_ended.set()

    @manager.task
    def waiting() -> None:
        runs.append("waiting")

    manager.add_task(blocking)
    assert running.wait(PATIENCE)
    left = manager.add_task(waiting)
    manager.stop(grace=0.0)
    ends.set()
    assert has_ended.wait(PATIENCE)

    assert runs == []
    assert Rows(tmp_path).task(left).task.status is TaskStatus.PENDING
    manager.start()
    assert Rows(tmp_path).settled(left).task.status is TaskStatus.SUCCESS
    manager.stop()
    assert runs == ["waiting"]


def test_what_waits_and_no_other_process_could_run_is_cancelled(tmp_path: Path) -> None:
    manager = TaskManager(dir=str(tmp_path), max_sync_threads=1)
    ends, running = threading.Event(), threading.Event()

    def blocking(running: object) -> None:
        running.set()  # type: ignore[attr-defined]
        ends.wait(PATIENCE)

    manager.add_task(blocking, running)
    assert running.wait(PATIENCE)
    left = manager.add_task(blocking, running)
    manager.stop(grace=0.0)
    ends.set()
    found = Rows(tmp_path).task(left).task
    assert (found.status, found.reason) == (TaskStatus.CANCELLED, "shutdown")


def test_a_thread_past_its_grace_cannot_add_tasks_to_a_closed_manager(tmp_path: Path) -> None:
    manager = TaskManager(dir=str(tmp_path))
    goes_on, running, tried = threading.Event(), threading.Event(), threading.Event()
    raised: list[BaseException] = []

    def blocking() -> None:
        running.set()
        goes_on.wait(PATIENCE)
        try:
            manager.add_task(blocking)
        except ManagerClosedError as error:
            raised.append(error)
        tried.set()

    manager.add_task(blocking)
    assert running.wait(PATIENCE)
    manager.close(grace=0.0)
    goes_on.set()
    assert tried.wait(PATIENCE)
    assert len(raised) == 1


class Hanging(TaskObserver):
    name = "hanging"

    def __init__(self) -> None:
        self.entered, self.may_go_on = threading.Event(), threading.Event()
        self.told: list[str] = []

    def on_log(self, event: LogEvent) -> None:
        self.entered.set()
        assert self.may_go_on.wait(60)
        self.told.append(event.message)


@pytest.mark.failure("C8")
def test_an_observer_that_hangs_holds_up_the_end_for_a_moment_and_is_told_by_the_next_process(tmp_path: Path) -> None:
    hanging = Hanging()
    manager = TaskManager(dir=str(tmp_path), observers=[hanging])
    added = manager.add_task(task_log, "hello")
    assert hanging.entered.wait(PATIENCE)
    begun = time.monotonic()
    manager.stop(grace=0.0)
    assert time.monotonic() - begun < 2.0 + 2.0, "two seconds, and as many for a busy machine"
    assert Rows(tmp_path).messages(added) == ["hello"]
    hanging.may_go_on.set()

    following = Hanging()
    following.may_go_on.set()
    again = TaskManager(dir=str(tmp_path), observers=[following])
    again.start()
    assert following.entered.wait(PATIENCE)
    again.stop(PATIENCE)
    assert following.told == ["hello"]


def test_a_second_signal_ends_the_grace(tmp_path: Path) -> None:
    manager = TaskManager(dir=str(tmp_path))
    running, goes_on = threading.Event(), threading.Event()

    def blocking() -> None:
        running.set()
        goes_on.wait(PATIENCE)

    task_id = manager.add_task(blocking)
    assert running.wait(PATIENCE)
    stop = Stop(manager, 3600.0)
    assert stop.announced.wait(PATIENCE)
    manager.hurry()
    stop.done()
    goes_on.set()
    assert Rows(tmp_path).task(task_id).task.status is TaskStatus.INTERRUPTED


def test_a_retry_that_is_due_in_the_grace_is_left_to_the_next_process(tmp_path: Path) -> None:
    manager = TaskManager(dir=str(tmp_path))
    running, goes_on = threading.Event(), threading.Event()
    runs: list[str] = []

    @manager.task(retries=1, delay=1.0)
    def flaky() -> None:
        runs.append("flaky")
        raise ValueError

    def blocking() -> None:
        running.set()
        goes_on.wait(PATIENCE)

    waiting = manager.add_task(flaky)
    Rows(tmp_path).until(lambda: Rows(tmp_path).is_waiting(waiting), "it waits for its retry")
    manager.add_task(blocking)
    assert running.wait(PATIENCE)
    stop = Stop(manager, PATIENCE)
    assert stop.announced.wait(PATIENCE)
    due = Rows(tmp_path).task(waiting).task.waiting_until
    assert due is not None
    time.sleep(max(0.0, (due - time.time_ns()) / 1e9) + 0.1)
    goes_on.set()
    stop.done()
    assert runs == ["flaky"]
    assert Rows(tmp_path).task(waiting).task.status is TaskStatus.RUNNING


def test_two_stops_at_once_wait_for_the_same_end(tmp_path: Path) -> None:
    manager = TaskManager(dir=str(tmp_path))
    running, goes_on = threading.Event(), threading.Event()

    def task() -> None:
        running.set()
        goes_on.wait(PATIENCE)

    task_id = manager.add_task(task)
    assert running.wait(PATIENCE)
    stops = [Stop(manager, PATIENCE) for _ in range(2)]
    goes_on.set()
    for stop in stops:
        stop.done()
    assert Rows(tmp_path).task(task_id).task.status is TaskStatus.SUCCESS


@pytest.mark.parametrize("times", [2, 3])
def test_stopping_again_does_nothing(tmp_path: Path, times: int) -> None:
    manager = TaskManager(dir=str(tmp_path))
    manager.start()
    for _ in range(times):
        manager.stop()
    assert not manager.is_started


def test_a_disk_that_fails_when_all_is_done_does_not_fail_the_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    manager = TaskManager(dir=str(tmp_path))
    added = manager.add_task(lambda: None)
    assert manager.drain(PATIENCE)
    writer = manager.runtime.store.writer

    def refuse(journal_id: str) -> None:
        raise StoreError(f"the offset of {journal_id}: disk I/O error")

    monkeypatch.setattr(writer, "forget_journal", refuse)
    manager.stop(PATIENCE)

    assert "all tasks are kept" in caplog.text
    assert Rows(tmp_path).task(added).task.status is TaskStatus.SUCCESS
    again = TaskManager(dir=str(tmp_path))
    again.start()
    again.stop(PATIENCE)


def test_what_a_store_that_fails_has_not_taken_at_the_stop_is_taken_and_run_after_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_full(*_: object) -> None:
        raise StoreError("disk is full")

    manager = TaskManager(dir=str(tmp_path))
    manager.start()
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(manager.runtime.store.writer, "write", is_full)
        added = manager.add_task(note, "done")
        assert not manager.drain(0.5)
        manager.stop(PATIENCE)
    assert Rows(tmp_path).tasks() == []
    again = TaskManager(dir=str(tmp_path))
    again.start()
    deadline = time.monotonic() + PATIENCE
    while not (found := Rows(tmp_path).tasks()) and time.monotonic() < deadline:
        time.sleep(0.05)
    again.stop(PATIENCE)
    assert [(each.task.task_id, each.task.status) for each in found] == [(added, TaskStatus.SUCCESS)]


@pytest.mark.parametrize("wrong", ["x", None, float("nan"), True, b"1"])
def test_a_wrong_number_of_seconds_is_refused_and_nothing_stops(tmp_path: Path, wrong: Any) -> None:
    manager = TaskManager(dir=str(tmp_path), store="memory")
    manager.start()
    try:
        for method in (manager.stop, manager.close, manager.drain, manager.force_flush):
            if wrong is None and method is not manager.force_flush:
                continue  # the default
            with pytest.raises(ConfigurationError, match="must be seconds, as a number"):
                method(wrong)
        assert manager.is_started
        manager.add_task(print)
        assert manager.drain()
    finally:
        manager.stop()


@pytest.mark.parametrize("long", [float("inf"), 10**5000, 1e300], ids=["infinite", "an integer", "a float"])
def test_any_length_of_time_can_be_waited_for(tmp_path: Path, long: float) -> None:
    manager = TaskManager(dir=str(tmp_path), store="memory")
    manager.add_task(print)
    assert manager.drain(long)
    assert manager.force_flush(long)
    manager.stop(long)
    assert not manager.is_started
