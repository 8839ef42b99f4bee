"""SIGKILL at random instants: what was acknowledged is there, once and in order."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from otel_taskflow.model import AttemptOutcome, LogRow, TaskStatus
from tests.beside import beside
from tests.crash.child import PATIENCE, child
from tests.crash.programs import WRITERS, Acknowledged
from tests.crash.rows import Rows, survivor

RUNS = 20


def kill_after(folder: Path, lines: int) -> dict[int, str]:
    """Kill the program when its writers log and the first has so many lines; returns the id of each writer's task."""
    with child("number_lines", folder) as process:
        tasks = dict(process.says("task").split() for _ in range(WRITERS))
        acknowledged = Acknowledged(folder / "acknowledged")
        deadline = time.monotonic() + PATIENCE
        while acknowledged[0] < lines or not all(acknowledged[writer] for writer in range(WRITERS)):
            assert time.monotonic() < deadline
            time.sleep(random.random() / 1000)
        process.kill()
    return {int(writer): task_id for writer, task_id in tasks.items()}


def check_lines(lines: Sequence[LogRow], acknowledged: int) -> None:
    assert [line.message for line in lines] == [f"line {number}" for number in range(1, len(lines) + 1)]
    assert len({line.seq for line in lines}) == len(lines)
    assert acknowledged <= len(lines) <= acknowledged + 1


@pytest.mark.failure("C1")
@pytest.mark.slow
def test_acknowledged_lines_survive_a_kill_at_any_instant(tmp_path: Path) -> None:
    def kill_once(run: int) -> None:
        folder = tmp_path / str(run)
        folder.mkdir()
        tasks = kill_after(folder, random.randint(0, 1000))
        acknowledged = Acknowledged(folder / "acknowledged")
        rows, [journal] = Rows(folder), (folder / "journal").iterdir()
        with survivor(folder) as manager:
            for writer, task_id in tasks.items():
                found = rows.settled(task_id)
                assert found.task.status is TaskStatus.INTERRUPTED
                assert [attempt.outcome for attempt in found.attempts] == [AttemptOutcome.INTERRUPTED]
                lines = rows.logs(task_id)
                check_lines(lines, acknowledged[writer])
                assert found.task.log_count == len(lines)
            rows.until(lambda: not journal.exists(), "nothing is left to take over")
            assert manager.drain()
        assert not list((folder / "journal").iterdir())

    beside(kill_once, range(RUNS))
