"""A clock that jumps: order comes from sequence numbers, durations and waits from another clock."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from otel_taskflow.model import TaskStatus
from tests.crash.child import PATIENCE
from tests.crash.rows import Rows
from tests.failures.child import failing

HOUR, DAY = 3600.0, 86400.0
CLOCK = "tests.failures.clock"


@pytest.mark.failure("S10")
@pytest.mark.parametrize("jump", [-HOUR, DAY], ids=["an hour back", "a day forward"])
def test_lines_keep_their_order_and_durations_are_never_negative(tmp_path: Path, jump: float) -> None:
    with failing("worker", tmp_path, "{}", module=CLOCK) as process:
        task_id = process.do("add", "stepwise", 6)
        for number in range(6):
            assert process.do("step")
            if number % 2:
                process.do("shift", jump)
        assert process.do("drain", 30)
        process.do("stop")
    rows = Rows(tmp_path)
    found = rows.task(task_id)
    assert rows.messages(task_id) == [f"line {number}" for number in range(6)]
    assert [line.seq for line in rows.logs(task_id)] == list(range(1, 7))
    [attempt] = found.attempts
    assert attempt.duration is not None
    assert 0 <= attempt.duration < PATIENCE * 1e9
    assert attempt.ended_at is not None
    assert attempt.started_at <= attempt.ended_at
    assert found.task.ended_at is not None
    assert found.task.started_at is not None
    assert found.task.started_at <= found.task.ended_at


@pytest.mark.failure("S10")
@pytest.mark.parametrize("jump", [-HOUR, DAY], ids=["an hour back", "a day forward"])
def test_a_retry_comes_neither_early_nor_twice(tmp_path: Path, jump: float) -> None:
    with failing("worker", tmp_path, "{}", module=CLOCK) as process:
        task_id = process.do("add", "retried")
        Rows(tmp_path).until(lambda: Rows(tmp_path).is_waiting(task_id), "it waits for its retry")
        process.do("shift", jump)
        deadline = time.monotonic() + PATIENCE
        while (pause := process.do("pause")) is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert pause >= 2.99
        assert process.do("drain", 30)
        assert process.do("attempts") == 2
        process.do("stop")
    assert Rows(tmp_path).task(task_id).task.status is TaskStatus.SUCCESS


@pytest.mark.failure("S10")
@pytest.mark.parametrize("jump", [-HOUR, DAY], ids=["an hour back", "a day forward"])
def test_a_clock_that_jumps_while_an_attempt_runs_does_not_change_the_wait_that_is_told(
    tmp_path: Path, jump: float
) -> None:
    with failing("worker", tmp_path, "{}", module=CLOCK) as process:
        task_id = process.do("add", "jumps", jump)
        assert process.do("drain", 30)
        process.do("stop")
    assert "will be retried in 0.010 s" in process.stderr
    assert Rows(tmp_path).task(task_id).task.status is TaskStatus.SUCCESS


@pytest.mark.failure("S10")
@pytest.mark.parametrize("jump", [-HOUR, DAY], ids=["an hour back", "a day forward"])
def test_retention_deletes_nothing_before_its_time(tmp_path: Path, jump: float) -> None:
    with failing("worker", tmp_path, '{"retention_days": 2}', module=CLOCK) as process:
        task_id = process.do("run", "log", 10)["id"]
        assert process.do("drain", 30)
        process.do("stop")
        process.do("shift", jump)
        process.do("start")
        other = process.do("run", "log", 10)["id"]
        assert process.do("drain", 30)
        time.sleep(1.2)
        process.do("shift", -jump)
        assert process.do("drain", 30)
        process.do("stop")
    assert {each.task.task_id for each in Rows(tmp_path).tasks()} == {task_id, other}
