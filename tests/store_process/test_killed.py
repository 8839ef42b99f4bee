"""The app is killed while another process writes its store."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from otel_taskflow.lifecycle.decide import is_final
from tests.crash.child import Child
from tests.crash.rows import Rows, survivor
from tests.processes.waiting import is_alive, until
from tests.store_process.counting import count


class Program(Child):
    module = "tests.store_process.programs"


@contextmanager
def program(name: str, folder: Path) -> Iterator[Program]:
    running = Program(name, folder)
    try:
        yield running
    finally:
        running.close()


@pytest.mark.failure("C1")
@pytest.mark.parametrize("run", range(5))
def test_what_was_acknowledged_is_there_once_and_in_order(tmp_path: Path, run: int) -> None:
    folder = tmp_path / "state"
    with program("count", folder) as app:
        pid = int(app.says("pid"))
        tasks = [app.says("task") for _ in range(20 * run + 1)]
        app.kill()
    rows, [journal] = Rows(folder), (folder / "journal").iterdir()
    with survivor(folder, count) as manager:
        rows.until(lambda: not journal.exists(), "what was left is taken over")
        rows.until(lambda: _are_final(rows), "it runs")
        assert manager.drain()
    until(lambda: not is_alive(pid))
    found = {each.task.task_id: each for each in rows.tasks()}
    assert set(tasks) <= set(found)
    for task_id, each in found.items():
        messages = rows.messages(task_id)
        assert messages == [f"line {number}" for number in range(len(messages))]
        assert each.task.log_count == len(messages)
    assert list((folder / "journal").iterdir()) == []
    rollups = rows.rollups()
    assert sum(each.enqueued for each in rollups) == len(found)
    assert sum(each.succeeded + each.interrupted + each.cancelled for each in rollups) == len(found)


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _are_final(rows: Rows) -> bool:
    return all(is_final(each.task.status) for each in rows.tasks())


@pytest.mark.failure("C1")
def test_it_ends_although_a_fork_of_the_app_lives(tmp_path: Path) -> None:
    with program("fork", tmp_path / "state") as app:
        pid = int(app.says("pid"))
        os.kill(app.process.pid, signal.SIGKILL)
        until(lambda: not is_alive(pid))
        os.killpg(app.process.pid, signal.SIGKILL)


def test_a_journal_is_taken_over_only_when_the_process_that_wrote_its_store_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    with program("idle", folder) as app:
        pid = int(app.says("pid"))
        with stopped(pid):
            os.kill(app.process.pid, signal.SIGKILL)
            app.process.wait()
            [journal] = (folder / "journal").iterdir()
            with survivor(folder):
                time.sleep(1.5)
                assert journal.exists()
        with survivor(folder):
            until(lambda: not journal.exists())
    until(lambda: not is_alive(pid))
