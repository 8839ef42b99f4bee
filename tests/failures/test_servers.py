"""Workers of real servers that die, are recycled or reloaded while their tasks run."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.crash.rows import Rows
from tests.servers.running import PATIENCE, Running, running
from tests.servers.test_reload import wait_for_another

UVICORN = ("uvicorn", "tests.servers.app:app", "--port", "{port}", "--log-level", "warning")
GUNICORN = ("gunicorn", "tests.failures.app:app", "--bind", "127.0.0.1:{port}", "--log-level", "warning", "-k", "asgi")
NOTICED_WITHIN = 2.0
"""Seconds from the death of a worker to the state of its tasks, as documented."""
MOST_REQUESTS = 150


def running_in(server: Running, workers: int) -> dict[str, str]:
    """A running task for each of so many workers, by the worker's process id."""
    tasks: dict[str, str] = {}
    for _ in range(MOST_REQUESTS):
        added = server.request("POST", "/never")
        tasks.setdefault(added.headers["x-worker"], added.json())
        if len(tasks) == workers:
            break
    for task_id in tasks.values():
        server.task_until(task_id, "running")
    return tasks


@pytest.mark.failure("C7")
@pytest.mark.failures_slow
def test_of_four_workers_one_is_killed_and_only_its_tasks_are_interrupted(tmp_path: Path) -> None:
    with running(tmp_path / "state", *UVICORN, "--workers", "4") as server:
        tasks = running_in(server, 4)
        assert len(tasks) >= 2, "no second worker took a connection"
        killed = next(iter(tasks))
        os.kill(int(killed), signal.SIGKILL)
        died, rows = time.monotonic(), Rows(server.folder)
        rows.until(lambda: rows.task(tasks[killed]).task.reason == "process_died", "the dead worker's task is settled")
        assert time.monotonic() - died < NOTICED_WITHIN
        assert server.get_task(tasks.pop(killed))["status"] == "interrupted"
        for task_id in tasks.values():
            assert (found := server.get_task(task_id))["status"] == "running"
            assert found["attempt_count"] == 1


@pytest.mark.failure("C10")
@pytest.mark.failures_slow
@pytest.mark.timeout(300)
def test_ten_reloads_leave_no_orphan_and_start_nothing_twice(tmp_path: Path) -> None:
    watched = tmp_path / "watched"
    watched.mkdir()
    (watched / "module.py").write_text("")
    reload = ("--reload", "--reload-dir", str(watched), "--reload-delay", "0.05", "--app-dir", str(ROOT))
    interrupted = []
    with running(tmp_path / "state", *UVICORN, *reload) as server:
        for number in range(10):
            added = server.request("POST", "/never")
            server.task_until(added.json(), "running")
            (watched / "module.py").write_text(f"changed = {number}")
            wait_for_another(server, added.headers["x-worker"])
            server.task_until(added.json(), "interrupted")
            interrupted.append(added.json())
            assert len(list((server.folder / "journal").iterdir())) == 1
            server.task_until(server.post("/quick"), "success")
        server.terminate()
        assert "Traceback" not in server.said
    rows = Rows(server.folder)
    for task_id in interrupted:
        assert rows.task(task_id).task.reason == "shutdown"
        assert len(rows.messages(task_id)) == 1


@pytest.mark.failure("C17")
@pytest.mark.failures_slow
def test_what_a_recycled_worker_has_not_started_runs_once_in_another(tmp_path: Path) -> None:
    command = (*GUNICORN, "--workers", "2", "--max-requests", "12", "--graceful-timeout", "5")
    with running(tmp_path / "state", *command) as server:
        blocked = server.request("POST", "/never")
        recycled, rows = blocked.headers["x-worker"], Rows(server.folder)
        left: dict[str, str] = {}
        deadline = time.monotonic() + PATIENCE * 2
        server.task_until(blocked.json(), "running")
        while (found := rows.task(blocked.json()).task).reason is None:
            assert time.monotonic() < deadline, server.said
            added = server.request("POST", "/quick")
            left[added.json()] = added.headers["x-worker"]
        assert (found.status.value, found.reason) == ("interrupted", "shutdown")
        assert Counter(left.values())[recycled] >= 5
        for task_id in left:
            server.task_until(task_id, "success")
            [message] = rows.messages(task_id)
            assert message != f"in {recycled}"
