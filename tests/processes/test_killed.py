"""A process with a worker is killed: the worker ends too, and what it had logged is there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from otel_taskflow.model import TaskStatus
from tests.conftest import ROOT
from tests.crash.rows import Rows, survivor
from tests.processes.waiting import is_alive, until

LINES = 30_000


@pytest.mark.failure("T8")
@pytest.mark.parametrize("delay", [0.0, 0.1])
def test_the_lines_of_a_worker_survive_its_process(tmp_path: Path, delay: float) -> None:
    told, folder = tmp_path / "pid", tmp_path / "state"
    with running(folder, told) as program:
        assert program.stdout is not None
        task_id = program.stdout.readline().strip()
        worker = int(until(lambda: told.exists() and told.read_text()))
        time.sleep(delay)  # from no line in the journal of the process that died to all of them
        program.send_signal(signal.SIGKILL)
        program.wait()
    until(lambda: not is_alive(worker))
    rows = Rows(folder)
    with survivor(folder) as manager:
        found = rows.settled(task_id)
        rows.until(lambda: len(rows.logs(task_id)) >= LINES, "all lines are there")
        assert manager.drain()
    assert found.task.status is TaskStatus.INTERRUPTED
    assert [line.extra["number"] for line in rows.logs(task_id)] == list(range(LINES))
    assert list((folder / "journal").glob("*worker*")) == []


@pytest.mark.failure("T8")
def test_a_worker_is_left_to_the_process_that_it_works_for(tmp_path: Path) -> None:
    """Its journal is free for a moment when it has died; another process must not take it then."""
    told, folder = tmp_path / "pid", tmp_path / "state"
    with running(folder, told) as program, survivor(folder) as manager:
        assert program.stdout is not None
        task_id = program.stdout.readline().strip()
        os.kill(int(until(lambda: told.exists() and told.read_text())), signal.SIGKILL)
        rows = Rows(folder)
        found = rows.settled(task_id)
        rows.until(lambda: len(rows.logs(task_id)) >= LINES, "all lines are there")
        assert manager.drain()
        program.kill()
    assert found.attempts[0].log_count == LINES
    assert found.task.owner is not None
    assert [line.seq for line in rows.logs(task_id)] == list(range(1, LINES + 1))


def running(folder: Path, told: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.processes.program", str(folder), str(told), str(LINES)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
