"""What becomes of attempts whose process was killed, with and without the opt-in to run again."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from otel_taskflow import TaskManager, get_task_context, task_log
from otel_taskflow.lifecycle.decide import MAX_INTERRUPTIONS
from otel_taskflow.model import AttemptOutcome, TaskStatus
from otel_taskflow.ports import TaskDetail
from tests.crash.child import child
from tests.crash.rows import Rows, survivor

KINDS = ["sync", "async"]


def killed_while_running(folder: Path, *args: object) -> tuple[str, str, str]:
    """Kill a process in the middle of an attempt; returns the ids of task, trace and span that the attempt saw."""
    with child("one_running", folder, *args) as process:
        task_id, _, trace_id, span_id = process.says("running").split()
        process.kill()
    return task_id, trace_id, span_id


def outcomes(found: TaskDetail) -> list[AttemptOutcome | None]:
    return [attempt.outcome for attempt in found.attempts]


@pytest.mark.failure("C3")
@pytest.mark.parametrize("kind", KINDS)
def test_a_task_that_did_not_opt_in_is_interrupted_and_not_run_again(tmp_path: Path, kind: str) -> None:
    runs: list[str] = []

    def work() -> None:
        runs.append("again")

    task_id, trace_id, span_id = killed_while_running(tmp_path, 3, "", kind)
    manager = TaskManager(dir=str(tmp_path))
    manager.task(work)
    manager.start()
    found = Rows(tmp_path).settled(task_id)
    assert manager.drain()
    manager.stop(grace=0.0)

    assert found.task.status is TaskStatus.INTERRUPTED
    assert found.task.reason == "process_died"
    assert outcomes(found) == [AttemptOutcome.INTERRUPTED]
    assert (found.attempts[0].span.trace_id, found.attempts[0].span.span_id) == (trace_id, span_id)
    assert found.task.span is not None
    assert found.attempts[0].span.parent_span_id == found.task.span.span_id
    assert Rows(tmp_path).messages(task_id) == ["begun"]
    assert runs == []


@pytest.mark.failure("C4")
@pytest.mark.parametrize("kind", KINDS)
def test_a_task_that_opted_in_runs_again_in_the_same_trace(tmp_path: Path, kind: str) -> None:
    def work() -> None:
        task_log("again")

    task_id, trace_id, span_id = killed_while_running(tmp_path, 0, "opted-in", kind)
    with survivor(tmp_path, work):
        found = Rows(tmp_path).settled(task_id)
        lines = Rows(tmp_path).logs(task_id)

    assert found.task.status is TaskStatus.SUCCESS
    assert outcomes(found) == [AttemptOutcome.INTERRUPTED, AttemptOutcome.SUCCEEDED]
    first, second = (attempt.span for attempt in found.attempts)
    assert (first.trace_id, first.span_id) == (trace_id, span_id)
    assert second.trace_id == trace_id
    assert second.span_id != span_id
    assert [(line.attempt, line.message) for line in lines] == [(0, "begun"), (1, "again")]
    assert lines[0].seq < lines[1].seq


@pytest.mark.failure("C4")
def test_an_interruption_does_not_use_up_the_retries(tmp_path: Path) -> None:
    def work() -> None:
        raise ValueError("no")

    task_id, _, _ = killed_while_running(tmp_path, 1, "opted-in")
    manager = TaskManager(dir=str(tmp_path))
    manager.task(retries=1, requeue_on_interrupt=True)(work)
    manager.start()
    found = Rows(tmp_path).settled(task_id)
    manager.stop(grace=0.0)

    assert found.task.status is TaskStatus.FAILED
    assert outcomes(found) == [AttemptOutcome.INTERRUPTED, AttemptOutcome.RETRYING, AttemptOutcome.FAILED]


@pytest.mark.failure("C4")
@pytest.mark.slow
def test_a_task_whose_process_dies_again_and_again_stops_after_a_limit(tmp_path: Path) -> None:
    def work() -> None:
        raise AssertionError("not run again")

    task_id, _, _ = killed_while_running(tmp_path, 0, "opted-in")
    for _ in range(MAX_INTERRUPTIONS):
        with child("resume_running", tmp_path) as process:
            assert process.says("running").split()[0] == task_id
            process.kill()
    with survivor(tmp_path, work):
        found = Rows(tmp_path).settled(task_id)

    assert found.task.status is TaskStatus.INTERRUPTED
    assert outcomes(found) == [AttemptOutcome.INTERRUPTED] * (MAX_INTERRUPTIONS + 1)


def test_a_waiting_retry_of_a_dead_process_keeps_its_time_and_its_count(tmp_path: Path) -> None:
    attempts: list[int] = []
    again = threading.Event()

    def work() -> None:
        context = get_task_context()
        assert context is not None
        attempts.append(context.attempt)
        again.set()

    with child("waits_for_retry", tmp_path, 1.5) as process:
        task_id = process.says("failed")
        Rows(tmp_path).until(lambda: Rows(tmp_path).is_waiting(task_id), "waits")
        due = Rows(tmp_path).task(task_id).task.waiting_until
        process.kill()
    manager = TaskManager(dir=str(tmp_path))
    manager.task(retries=1)(work)
    manager.start()
    assert again.wait(10)
    found = Rows(tmp_path).settled(task_id)
    manager.stop(grace=0.0)

    assert attempts == [1]
    assert found.task.status is TaskStatus.SUCCESS
    assert outcomes(found) == [AttemptOutcome.RETRYING, AttemptOutcome.SUCCEEDED]
    assert due is not None
    assert found.attempts[1].started_at >= due


@pytest.mark.failure("C4")
def test_a_cancelled_task_that_was_killed_before_its_end_does_not_run_again_although_it_opted_in(
    tmp_path: Path,
) -> None:
    runs: list[str] = []

    def work() -> None:
        runs.append("again")

    with child("cancelled_while_running", tmp_path) as process:
        task_id = process.says("cancelled").strip()
        process.kill()
    with survivor(tmp_path, work):
        found = Rows(tmp_path).settled(task_id)
    assert (found.task.status, found.task.reason) == (TaskStatus.CANCELLED, "user")
    assert outcomes(found) == [AttemptOutcome.CANCELLED]
    assert runs == []
