"""Killed while taking over, again and again: replay and takeover may begin anew at any point."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_taskflow.model import AttemptOutcome, TaskStatus
from tests.crash import long_journal
from tests.crash.child import child
from tests.crash.programs import WRITERS, Acknowledged
from tests.crash.rows import Rows, survivor
from tests.crash.test_killed_while_logging import check_lines, kill_after
from tests.crash.test_long_journal import check_all, left_behind, quick

INSTANTS = [
    "call replay_states",
    "call replay_lines",
    "call claim",
    "return claim",
    "call _take_over_one",
    "return _take_over_one",
    "call remove",
    "return remove",
    "call forget_journal",
    "return forget_journal",
]


def check(folder: Path, tasks: dict[int, str]) -> None:
    """Settled once, every line once, every figure once."""
    rows = Rows(folder)
    acknowledged = Acknowledged(folder / "acknowledged")
    with survivor(folder) as manager:
        for writer, task_id in tasks.items():
            found = rows.settled(task_id)
            assert found.task.status is TaskStatus.INTERRUPTED
            assert [attempt.outcome for attempt in found.attempts] == [AttemptOutcome.INTERRUPTED]
            check_lines(rows.logs(task_id), acknowledged[writer])
            assert found.attempts[0].log_count == found.task.log_count == len(rows.logs(task_id))
        assert manager.drain()
    figures = rows.rollups()
    assert sum(each.enqueued for each in figures) == WRITERS
    assert sum(each.interrupted for each in figures) == WRITERS
    assert not list((folder / "journal").iterdir())


@pytest.mark.failure("C6")
def test_a_takeover_killed_at_each_of_its_steps_is_begun_anew(tmp_path: Path) -> None:
    tasks = kill_after(tmp_path, 300)
    with child("takeovers_killed", tmp_path) as process:
        for instant in INSTANTS:
            process.tell(instant)
            assert process.says(instant) == "killed"
    check(tmp_path, tasks)


@pytest.mark.failure("C6")
@pytest.mark.slow
def test_takeovers_killed_later_and_later_double_nothing(tmp_path: Path) -> None:
    tasks = kill_after(tmp_path, 1000)
    count, kills, said = 20, 0, "killed"
    with child("takeovers_killed", tmp_path) as process:
        while said == "killed":
            process.tell(f"calls {count}")
            said = process.says(f"calls {count}")
            kills += said == "killed"
            count = int(count * 1.2)
    assert kills >= 10
    check(tmp_path, tasks)


def test_a_takeover_that_is_stopped_half_way_is_finished_by_the_next(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tasks = kill_after(tmp_path, 3000)
    for _ in range(3):
        with survivor(tmp_path):
            """Stops at once."""
    check(tmp_path, tasks)
    assert "failed" not in caplog.text


@pytest.mark.failure("C6")
@pytest.mark.slow
def test_a_takeover_of_tasks_at_rest_killed_at_each_of_its_steps_doubles_nothing(tmp_path: Path) -> None:
    """Whatever a survivor had begun when it was killed too, the second one starts what is left, and nothing twice."""
    lines = 2500
    left_behind(tmp_path, lines)
    with child("takeovers_killed", tmp_path) as process:
        for instant in ("call claim", "return claim", "return _take_over_one", "call replay_lines", "call adopt"):
            process.tell(instant)
            process.says(instant)
    with survivor(tmp_path, quick) as manager:
        Rows(tmp_path).settled(long_journal.RUNNING)
        assert manager.drain()
        worker = manager.runtime.writer.header.worker
    check_all(tmp_path, lines, survivor=worker)
    assert not list((tmp_path / "journal").iterdir())


@pytest.mark.failure("C18")
@pytest.mark.parametrize(
    "instant", ["call _begin", "return _begin", "call task_log", "return task_log", "return finish"]
)
def test_a_task_that_a_killed_survivor_had_begun_is_not_run_again(tmp_path: Path, instant: str) -> None:
    left_behind(tmp_path, 100)
    with child("takeovers_killed", tmp_path) as process:
        process.tell(instant)
        assert process.says(instant) == "killed"
    rows = Rows(tmp_path)
    with survivor(tmp_path, quick) as manager:
        for task_id in long_journal.PENDING:
            found = rows.settled(task_id)
            assert found.task.status in {TaskStatus.SUCCESS, TaskStatus.INTERRUPTED}
            assert len(found.attempts) == 1
            assert len(rows.messages(task_id)) <= 1
        assert manager.drain()
    figures = rows.rollups()
    assert sum(each.enqueued for each in figures) == len(long_journal.PENDING) + 2
