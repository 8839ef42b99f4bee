"""A worker leads a process group: what its function starts ends with it. A signal to all processes of a service does not end it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from otel_taskflow import TaskManager
from otel_taskflow.model import AttemptOutcome, TaskStatus
from tests.conftest import ROOT
from tests.crash.rows import Rows
from tests.processes import work
from tests.processes.waiting import PATIENCE, is_alive, until

LEAVES_A_WORKER = """
import sys
from pathlib import Path
from otel_taskflow import TaskManager
from tests.processes import work

if __name__ == "__main__":
    manager = TaskManager(dir=sys.argv[1], shutdown_grace=0.1)
    manager.task(executor="process")(work.flood_and_wait)
    manager.add_task(work.flood_and_wait, sys.argv[2], 1)
    while not Path(sys.argv[2]).exists():
        pass
"""


def pid_in(path: Path) -> int:
    return int(until(lambda: path.exists() and path.read_text()))


@pytest.mark.failure("T8")
def test_a_program_that_the_function_has_started_ends_with_its_timeout(
    manager: TaskManager, rows: Rows, tmp_path: Path
) -> None:
    manager.task(executor="process", timeout=0.5)(work.start_a_program)
    task_id = manager.add_task(work.start_a_program, str(tmp_path / "pid"))
    assert manager.drain(PATIENCE)
    assert [attempt.outcome for attempt in rows.settled(task_id).attempts] == [AttemptOutcome.TIMED_OUT]
    program = pid_in(tmp_path / "pid")
    until(lambda: not is_alive(program))


@pytest.mark.failure("C8")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_all_processes_of_a_service_leaves_the_attempt_its_grace(
    manager: TaskManager, rows: Rows, tmp_path: Path, number: int
) -> None:
    manager.task(executor="process")(work.last_a_moment)
    task_id = manager.add_task(work.last_a_moment, str(tmp_path / "pid"))
    os.kill(pid_in(tmp_path / "pid"), number)
    assert manager.drain(PATIENCE)
    assert rows.settled(task_id).task.status is TaskStatus.SUCCESS


def test_an_interpreter_that_ends_without_a_stop_does_not_wait_for_its_workers(folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", LEAVES_A_WORKER, str(folder), str(tmp_path / "pid")]
    subprocess.run(command, cwd=ROOT, check=True, timeout=PATIENCE)
    worker = pid_in(tmp_path / "pid")
    until(lambda: not is_alive(worker))


def test_no_task_is_added_in_a_worker_where_the_timeout_of_another_would_end_it(
    manager: TaskManager, rows: Rows, tmp_path: Path
) -> None:
    manager.task(executor="process")(work.add_another)
    task_id = manager.add_task(work.add_another, str(tmp_path / "other"))
    assert manager.drain(PATIENCE)
    error = rows.settled(task_id).task.error
    assert error is not None
    assert "adds no task in a worker process" in error.message
    assert not (tmp_path / "other").exists()
