"""Several processes on one folder: one goes, by force or in good order, and the others see to what it left."""

from __future__ import annotations

import time
from pathlib import Path

import anyio
import pytest

from otel_taskflow import task_log
from otel_taskflow.lifecycle.decide import is_final
from otel_taskflow.model import TaskStatus
from tests.crash.child import Child, child
from tests.crash.rows import Rows, survivor

NOTICED_WITHIN = 2.0
"""Seconds from the death of a process to the state of its tasks, as documented."""


def ran_once_in(rows: Rows, task_id: str, process: Child) -> None:
    assert rows.settled(task_id).task.status is TaskStatus.SUCCESS
    assert rows.messages(task_id) == [f"in {process.process.pid}"]


@pytest.mark.failure("C7")
def test_a_killed_process_is_noticed_and_the_tasks_of_the_others_are_untouched(tmp_path: Path) -> None:
    rows = Rows(tmp_path)
    with child("worker", tmp_path) as one, child("worker", tmp_path) as two, child("worker", tmp_path) as three:
        tasks = [process.asks("never") for process in (one, two, three)]
        rows.until(lambda: all(rows.messages(task_id) for task_id in tasks), "all run")
        one.kill()
        died = time.monotonic()
        rows.until(lambda: is_final(rows.task(tasks[0]).task.status), "the dead process's task is settled")
        assert time.monotonic() - died < NOTICED_WITHIN
        others = [rows.task(task_id).task for task_id in tasks[1:]]
        found = rows.task(tasks[0]).task
    assert (found.status, found.reason) == (TaskStatus.INTERRUPTED, "process_died")
    assert [task.status for task in others] == [TaskStatus.RUNNING] * 2
    assert len({found.owner, *(task.owner for task in others)}) == 2


@pytest.mark.failure("C17")
def test_what_a_process_leaves_in_good_order_is_started_once_by_a_survivor(tmp_path: Path) -> None:
    rows = Rows(tmp_path)
    with child("worker", tmp_path) as survivor, child("worker", tmp_path, 0, 1) as leaver:
        survivor.asks("start")
        blocking = leaver.asks("never")
        left = [leaver.asks("quick") for _ in range(5)]
        leaver.asks("stop")
        gone = time.monotonic()
        for task_id in left:
            ran_once_in(rows, task_id, survivor)
        assert time.monotonic() - gone < NOTICED_WITHIN
    found = rows.task(blocking).task
    assert (found.status, found.reason) == (TaskStatus.INTERRUPTED, "shutdown")


def test_what_a_process_leaves_in_good_order_is_started_once_by_the_next(tmp_path: Path) -> None:
    rows = Rows(tmp_path)
    with child("worker", tmp_path, 0, 1) as leaver:
        leaver.asks("never")
        left = [leaver.asks("quick") for _ in range(5)]
        leaver.asks("stop")
        assert {rows.task(task_id).task.status for task_id in left} == {TaskStatus.PENDING}
        assert leaver.asks("start") == "None"
        for task_id in left:
            ran_once_in(rows, task_id, leaver)


def test_a_task_whose_request_was_lost_is_cancelled(tmp_path: Path) -> None:
    rows = Rows(tmp_path)
    with child("worker", tmp_path) as lost, child("worker", tmp_path) as survivor:
        survivor.asks("start")
        task_id = lost.asks("hold")
        lost.kill()
        found = rows.settled(task_id)
    assert (found.task.status, found.task.reason) == (TaskStatus.CANCELLED, "request_lost")
    assert found.attempts == []


def test_a_task_whose_response_left_is_started_once(tmp_path: Path) -> None:
    rows = Rows(tmp_path)
    with child("worker", tmp_path) as lost, child("worker", tmp_path) as survivor:
        survivor.asks("start")
        task_id = lost.asks("hold")
        lost.asks("release")
        lost.kill()
        ran_once_in(rows, task_id, survivor)


def test_a_task_whose_function_is_not_known_waits_until_it_is(tmp_path: Path) -> None:
    def quick() -> None:
        task_log("here")

    with child("worker", tmp_path) as lost:
        task_id = lost.asks("hold")
        lost.asks("release")
        lost.kill()
    rows = Rows(tmp_path)
    with survivor(tmp_path) as manager:
        rows.until(lambda: [each.task.owner for each in rows.tasks()] == [manager.runtime.writer.id], "taken over")
        assert rows.task(task_id).task.status is TaskStatus.PENDING
        manager.task(quick)
        assert rows.settled(task_id).task.status is TaskStatus.SUCCESS
        assert rows.messages(task_id) == ["here"]


@pytest.mark.anyio
async def test_a_task_whose_function_is_not_known_can_be_cancelled(tmp_path: Path) -> None:
    with child("worker", tmp_path) as lost:
        task_id = lost.asks("hold")
        lost.asks("release")
        lost.kill()
    with survivor(tmp_path) as manager:
        with anyio.fail_after(10):
            while await manager.reader().get_task(task_id) is None:
                await anyio.sleep(0.01)
        assert (await manager.cancel(task_id)).status is TaskStatus.CANCELLED
        await manager.reader().aclose()


@pytest.mark.failure("C18")
def test_two_survivors_start_what_is_left_once(tmp_path: Path) -> None:
    rows = Rows(tmp_path)
    with child("worker", tmp_path) as lost, child("worker", tmp_path) as one, child("worker", tmp_path) as two:
        one.asks("start")
        two.asks("start")
        tasks = []
        for _ in range(20):
            tasks.append(lost.asks("hold"))
            lost.asks("release")
        lost.kill()
        for task_id in tasks:
            assert rows.settled(task_id).task.status is TaskStatus.SUCCESS
            assert len(rows.messages(task_id)) == 1
