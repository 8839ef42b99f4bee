"""What has expired when a dead process's tasks are taken over is cancelled; everything else runs once."""

from __future__ import annotations

import time
from pathlib import Path

from otel_taskflow.model import TaskStatus
from otel_taskflow.ports import TaskDetail
from tests.crash.child import Child, child
from tests.crash.rows import Rows, survivor

BRIEF = 0.5
"""Seconds in which a brief task must start."""


def add_behind_a_task_that_never_ends(process: Child) -> tuple[str, str]:
    """A brief and a lasting task, whose turn never comes there."""
    process.asks("never")
    return process.asks("brief"), process.asks("lasting")


def check(rows: Rows, brief: str, lasting: str, process: Child) -> None:
    expired = rows.settled(brief)
    assert what_became_of(expired) == (TaskStatus.CANCELLED, "expired", 0)
    assert expired.task.expires_at == expired.task.created_at + int(BRIEF * 1e9)
    assert what_became_of(rows.settled(lasting)) == (TaskStatus.SUCCESS, None, 1)
    assert rows.messages(lasting) == [f"in {process.process.pid}"]
    assert rows.messages(brief) == []


def what_became_of(found: TaskDetail) -> tuple[TaskStatus, str | None, int]:
    return found.task.status, found.task.reason, len(found.attempts)


def test_an_expired_task_of_a_killed_process_does_not_start_in_the_next(tmp_path: Path) -> None:
    with child("worker", tmp_path, 0, 1) as lost:
        tasks = add_behind_a_task_that_never_ends(lost)
        lost.kill()
    time.sleep(BRIEF)
    with child("worker", tmp_path) as following:
        following.asks("start")
        check(Rows(tmp_path), *tasks, following)


def test_an_expired_task_of_a_killed_process_does_not_start_in_a_survivor(tmp_path: Path) -> None:
    with child("worker", tmp_path) as other, child("worker", tmp_path, 0, 1) as lost:
        other.asks("start")
        tasks = add_behind_a_task_that_never_ends(lost)
        time.sleep(BRIEF)
        lost.kill()
        check(Rows(tmp_path), *tasks, other)


def test_an_expired_task_of_a_process_that_left_in_good_order_does_not_start_in_the_next(tmp_path: Path) -> None:
    with child("worker", tmp_path, 0, 1) as leaver:
        tasks = add_behind_a_task_that_never_ends(leaver)
        leaver.asks("stop")
        time.sleep(BRIEF)
        leaver.asks("start")
        check(Rows(tmp_path), *tasks, leaver)


def test_a_task_that_waits_for_its_function_expires_too(tmp_path: Path) -> None:
    with child("worker", tmp_path, 0, 1) as lost:
        brief, lasting = add_behind_a_task_that_never_ends(lost)
        lost.kill()
    rows = Rows(tmp_path)
    with survivor(tmp_path):
        assert what_became_of(rows.settled(brief)) == (TaskStatus.CANCELLED, "expired", 0)
        assert rows.task(lasting).task.status is TaskStatus.PENDING
