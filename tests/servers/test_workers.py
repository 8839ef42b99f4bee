"""Several worker processes behind one port."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

import httpx
import pytest

from otel_taskflow.lifecycle.decide import is_final
from otel_taskflow.model import TaskStatus
from tests.crash.rows import Rows
from tests.servers.running import Running, running

UVICORN = ("uvicorn", "tests.servers.app:app", "--port", "{port}", "--log-level", "warning")
GUNICORN = ("gunicorn", "tests.servers.app:app", "--bind", "127.0.0.1:{port}", "--log-level", "warning")


STARTED_WITHIN = 2.0
MOST_REQUESTS = 150
"""The kernel decides which worker takes a connection, and one that starts late takes none at first."""


def check_read_your_writes(server: Running, rounds: int) -> None:
    has_met_another = False
    for number in range(MOST_REQUESTS):
        added = server.request("POST", "/quick")
        seen = server.request("GET", f"/tasks/{added.json()}")
        assert seen.status_code == 200, server.said
        has_met_another |= added.headers["x-worker"] != seen.headers["x-worker"]
        server.task_until(added.json(), "success")
        if has_met_another and number >= rounds:
            return
    raise AssertionError("no request met another worker than its predecessor")


def check_cancel_from_another_worker(server: Running) -> None:
    for _ in range(MOST_REQUESTS):
        added = server.request("POST", "/never")
        server.task_until(added.json(), "running")
        cancelled = server.request("POST", f"/tasks/{added.json()}/cancel")
        assert cancelled.status_code == 200, (cancelled.text, server.said)
        assert server.get_task(added.json())["status"] == "cancelled", cancelled.text
        if cancelled.headers["x-worker"] != added.headers["x-worker"]:
            return
    raise AssertionError("no cancel met another worker")


def check_clean_end(server: Running) -> None:
    left = server.post("/never")
    server.task_until(left, "running")
    assert server.terminate() == 0, server.said
    assert "Traceback" not in server.said
    assert "Error" not in server.said
    found = Rows(server.folder).task(left).task
    assert (found.status.value, found.reason) == ("interrupted", "shutdown")
    assert not list((server.folder / "journal").iterdir())


@pytest.mark.slow
def test_four_workers_of_uvicorn_are_one_to_the_outside(tmp_path: Path) -> None:
    with running(tmp_path / "state", *UVICORN, "--workers", "4") as server:
        check_read_your_writes(server, 15)
        check_cancel_from_another_worker(server)
        check_clean_end(server)


@pytest.mark.failure("C15")
@pytest.mark.slow
def test_preloaded_workers_of_gunicorn_are_one_to_the_outside(tmp_path: Path) -> None:
    with running(tmp_path / "state", *GUNICORN, "--workers", "2", "--preload", "-k", "asgi") as server:
        check_read_your_writes(server, 15)
        check_cancel_from_another_worker(server)
        check_clean_end(server)


@pytest.mark.failure("C17")
@pytest.mark.slow
@pytest.mark.parametrize("server", ["gunicorn", "uvicorn"])
def test_what_a_recycled_worker_has_not_started_is_started_once_by_another(tmp_path: Path, server: str) -> None:
    """Each worker leaves after a few requests, with tasks that wait behind one that never ends."""
    command = {
        "gunicorn": (*GUNICORN, "--workers", "2", "-k", "asgi", "--max-requests", "4"),
        "uvicorn": (*UVICORN, "--workers", "2", "--limit-max-requests", "4"),
    }[server]
    with running(tmp_path / "state", *command, OTEL_TASKFLOW_MAX_SYNC_THREADS="1") as serving:
        added = serving.request("POST", "/burst")
        worker, (blocking, *left) = int(added.headers["x-worker"]), added.json()
        rows = Rows(serving.folder)
        rows.until(lambda: bool(rows.messages(blocking)), "the first one runs")
        ask_until_gone(serving, worker)
        gone = time.monotonic()
        rows.until(lambda: all(is_final(rows.task(task_id).task.status) for task_id in left), "the others have run")
        assert time.monotonic() - gone < STARTED_WITHIN
        for task_id in left:
            found = rows.task(task_id)
            assert (found.task.status, len(found.attempts)) == (TaskStatus.SUCCESS, 1)
            [message] = rows.messages(task_id)
            assert message != f"in {worker}"
        found = rows.settled(blocking).task
        assert (found.status, found.reason) == (TaskStatus.INTERRUPTED, "shutdown")


def ask_until_gone(server: Running, worker: int) -> None:
    for _ in range(MOST_REQUESTS):
        with contextlib.suppress(httpx.TransportError):
            server.request("GET", "/health")
        if not is_alive(worker):
            return
        time.sleep(0.02)
    raise AssertionError(f"worker {worker} did not leave; {server.said}")


def is_alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


@pytest.mark.failure("C7")
def test_a_worker_that_dies_is_settled_by_another(tmp_path: Path) -> None:
    with running(tmp_path / "state", *UVICORN, "--workers", "2") as server:
        added = server.request("POST", "/never")
        server.task_until(added.json(), "running")
        os.kill(int(added.headers["x-worker"]), signal.SIGKILL)
        assert server.task_until(added.json(), "interrupted")["reason"] == "process_died"


@pytest.mark.failure("C8")
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(
    "command",
    [
        pytest.param((*UVICORN, "--workers", "2"), id="workers of uvicorn"),
        pytest.param((*UVICORN, "--reload"), id="uvicorn that reloads"),
        pytest.param((*UVICORN,), id="one process"),
    ],
)
def test_a_signal_to_all_processes_at_once_leaves_tasks_their_grace(
    tmp_path: Path, command: tuple[str, ...], number: signal.Signals
) -> None:
    with running(tmp_path / "state", *command, GRACE="10") as server:
        task_id = server.post("/second")
        server.task_until(task_id, "running")
        server.signal_all(number)
    assert Rows(server.folder).task(task_id).task.status is TaskStatus.SUCCESS


@pytest.mark.failure("C8")
@pytest.mark.slow
def test_a_signal_to_gunicorn_and_its_workers_leaves_tasks_their_grace(tmp_path: Path) -> None:
    with running(tmp_path / "state", *GUNICORN, "--workers", "2", "-k", "asgi", GRACE="10") as server:
        task_id = server.post("/second")
        server.task_until(task_id, "running")
        server.signal_all(signal.SIGTERM)
    assert Rows(server.folder).task(task_id).task.status is TaskStatus.SUCCESS


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_program_that_serves_itself_by_name_has_its_tasks_once(tmp_path: Path, workers: str) -> None:
    with running(tmp_path / "state", "tests.servers.itself", "{port}", workers) as server:
        for task_id in server.post("/both"):
            server.task_until(task_id, "success")
            [line] = server.request("GET", f"/tasks/{task_id}/logs").json()["entries"]
            assert line["message"] == "tests.servers.itself"
        server.terminate()
        assert "Error" not in server.said
        assert not list((server.folder / "journal").iterdir())
