"""SIGTERM while tasks run: they have their grace, then they are cut off, and the process is gone in time."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import httpx
import pytest

from otel_taskflow.manager.lifespan import ECHO
from otel_taskflow.model import AttemptOutcome, TaskStatus
from tests.crash.child import Child, child
from tests.crash.rows import Rows

KINDS = ["sync", "async"]
GRACE = 0.5
SLACK = 2.0
"""Seconds beyond the grace in which the process must be gone."""
LONG = 30.0


def start_task(process: Child, kind: str, **options: bool) -> str:
    """Post, and return when the task runs; the response must have come although the task does not end."""
    address = process.says("address")
    with httpx.stream("POST", f"{address}/{kind}", params=options, timeout=10) as response:
        task_id = next(response.iter_text()).strip('"')
        process.says("running")
    return task_id


@pytest.mark.failure("C8")
@pytest.mark.parametrize("kind", KINDS)
def test_a_task_that_ends_in_the_grace_completes(tmp_path: Path, kind: str) -> None:
    with child("serve", tmp_path, LONG) as process:
        task_id = start_task(process, kind)
        process.send(signal.SIGTERM)
        rows = Rows(tmp_path)
        rows.until(lambda: [each.task.status for each in rows.tasks()] == [TaskStatus.RUNNING], "it runs on")
        (tmp_path / "finish").touch()
        assert process.ends() == -signal.SIGTERM
    assert Rows(tmp_path).task(task_id).task.status is TaskStatus.SUCCESS
    assert process.stderr == ""


@pytest.mark.failure("C8")
@pytest.mark.parametrize("kind", KINDS)
def test_a_task_that_never_ends_is_cut_off_after_the_grace(tmp_path: Path, kind: str) -> None:
    with child("serve", tmp_path, GRACE) as process:
        task_id = start_task(process, kind)
        sent = time.monotonic()
        process.send(signal.SIGTERM)
        assert process.ends() == -signal.SIGTERM
        assert GRACE <= time.monotonic() - sent < GRACE + SLACK
    found = Rows(tmp_path).task(task_id)
    assert (found.task.status, found.task.reason) == (TaskStatus.INTERRUPTED, "shutdown")
    assert [attempt.outcome for attempt in found.attempts] == [AttemptOutcome.INTERRUPTED]
    assert Rows(tmp_path).messages(task_id) == (["told to end"] if kind == "async" else [])
    assert process.stderr == ""


@pytest.mark.failure("C8")
def test_tasks_that_have_taken_all_threads_of_the_loop_are_cut_off_in_time_too(tmp_path: Path) -> None:
    with child("serve", tmp_path, GRACE) as process:
        answer = httpx.post(f"{process.says('address')}/on_all_threads", timeout=10).json()
        for _ in answer:
            process.says("running")
        process.send(signal.SIGTERM)
        rows = Rows(tmp_path)
        cut_off = [(TaskStatus.INTERRUPTED, "shutdown")] * len(answer)
        rows.until(
            lambda: [(each.task.status, each.task.reason) for each in rows.tasks()] == cut_off, "they are cut off"
        )
        process.kill()  # the interpreter waits for those threads, however long they sleep


@pytest.mark.failure("C9")
@pytest.mark.parametrize("kind", KINDS)
def test_a_second_signal_ends_the_grace(tmp_path: Path, kind: str) -> None:
    with child("serve", tmp_path, LONG) as process:
        task_id = start_task(process, kind)
        sent = signal_twice(process, signal.SIGTERM)
        process.ends()
        assert time.monotonic() - sent < SLACK
    found = Rows(tmp_path).task(task_id).task
    assert (found.status, found.reason) == (TaskStatus.INTERRUPTED, "shutdown")


@pytest.mark.failure("C8")
@pytest.mark.parametrize("kind", KINDS)
def test_a_second_signal_that_follows_at_once_is_the_first_once_more(tmp_path: Path, kind: str) -> None:
    with child("serve", tmp_path, LONG) as process:
        task_id = start_task(process, kind)
        process.send(signal.SIGTERM)
        process.says("stopping")
        process.send(signal.SIGTERM)
        time.sleep(ECHO / 2)
        (tmp_path / "finish").touch()
        process.ends()
    assert Rows(tmp_path).task(task_id).task.status is TaskStatus.SUCCESS


@pytest.mark.failure("C9")
def test_a_second_signal_that_forces_the_server_to_exit_leaves_the_rest_to_the_next(tmp_path: Path) -> None:
    """uvicorn skips the lifespan's end after SIGINT; what it had time for decides the reason."""
    with child("serve", tmp_path, LONG) as process:
        task_id = start_task(process, "sync")
        sent = signal_twice(process, signal.SIGINT)
        process.ends()
        assert time.monotonic() - sent < SLACK
    with child("worker", tmp_path) as following:
        following.asks("start")
        found = Rows(tmp_path).settled(task_id).task
    assert found.status is TaskStatus.INTERRUPTED
    assert found.reason in ("shutdown", "process_died")


def signal_twice(process: Child, second: signal.Signals) -> float:
    """SIGTERM, and another signal when that is no echo of the first; returns when."""
    process.send(signal.SIGTERM)
    process.says("stopping")
    time.sleep(ECHO)
    process.send(second)
    return time.monotonic()


@pytest.mark.parametrize("kind", KINDS)
def test_a_task_that_opted_in_is_left_to_the_next_process(tmp_path: Path, kind: str) -> None:
    with child("serve", tmp_path, 0.0) as process:
        task_id = start_task(process, kind, opted_in=True)
        process.send(signal.SIGTERM)
        process.ends()
    found = Rows(tmp_path).task(task_id)
    assert found.task.status is TaskStatus.RUNNING
    assert [attempt.outcome for attempt in found.attempts] == [AttemptOutcome.INTERRUPTED]

    (tmp_path / "finish").touch()
    with child("serve", tmp_path, LONG) as following:
        start_task(following, kind, opted_in=True)
        found = Rows(tmp_path).settled(task_id)
    assert found.task.status is TaskStatus.SUCCESS
    assert [attempt.outcome for attempt in found.attempts] == [AttemptOutcome.INTERRUPTED, AttemptOutcome.SUCCEEDED]


@pytest.mark.failure("C9")
def test_a_kill_in_the_grace_interrupts_as_any_kill_does(tmp_path: Path) -> None:
    with child("serve", tmp_path, LONG) as process:
        task_id = start_task(process, "sync")
        process.send(signal.SIGTERM)
        process.kill()
    with child("worker", tmp_path) as following:
        following.asks("start")
        found = Rows(tmp_path).settled(task_id).task
    assert (found.status, found.reason) == (TaskStatus.INTERRUPTED, "process_died")
