"""``uvicorn --reload`` while a task runs: the old process goes in good order, the new one goes on."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import httpx
import pytest

from tests.conftest import ROOT
from tests.crash.rows import Rows
from tests.servers.running import PATIENCE, Running, running


def wait_for_another(server: Running, before: str) -> None:
    """Until another process than ``before`` answers."""
    deadline = time.monotonic() + PATIENCE
    worker = before
    while worker == before:
        assert time.monotonic() < deadline, server.said
        time.sleep(0.02)
        with contextlib.suppress(httpx.TransportError):
            worker = server.request("GET", "/health").headers["x-worker"]


@pytest.mark.failure("C10")
@pytest.mark.slow
def test_a_reload_interrupts_what_runs_and_starts_nothing_twice(tmp_path: Path) -> None:
    watched = tmp_path / "watched"
    watched.mkdir()
    (watched / "module.py").write_text("")
    command = ("uvicorn", "tests.servers.app:app", "--port", "{port}", "--log-level", "warning", "--reload")
    with running(
        tmp_path / "state", *command, "--reload-dir", str(watched), "--reload-delay", "0.05", "--app-dir", str(ROOT)
    ) as server:
        added = server.request("POST", "/never")
        server.task_until(added.json(), "running")
        (watched / "module.py").write_text("changed = True")
        wait_for_another(server, added.headers["x-worker"])
        found = server.task_until(added.json(), "interrupted")
        assert found["attempt_count"] == 1
        quick = server.post("/quick")
        server.task_until(quick, "success")
        assert len(list((server.folder / "journal").iterdir())) == 1
        server.terminate()
        assert "Traceback" not in server.said
    assert Rows(server.folder).task(added.json()).task.reason == "shutdown"
