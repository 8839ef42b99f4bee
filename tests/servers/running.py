"""A server program on the loopback, ended with its whole process group."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.conftest import ROOT

PATIENCE = 20.0


class Running:
    """A server; each request comes over a connection of its own, so that any worker may get it."""

    def __init__(self, command: Sequence[str], folder: Path, output: Path, env: dict[str, str]) -> None:
        self.base = f"http://127.0.0.1:{_free_port()}"
        self.folder = folder
        self._output = output
        with output.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *(part.format(port=self.base.rpartition(":")[2]) for part in command)],
                cwd=ROOT,
                env={**os.environ, "OTEL_TASKFLOW_DIR": str(folder), **env},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        return self._output.read_text(errors="replace")

    @property
    def bearer(self) -> dict[str, str]:
        return {"authorization": f"Bearer {(self.folder / 'token').read_text().strip()}"}

    def request(self, method: str, path: str) -> httpx.Response:
        """Ask with the access token, if there is one."""
        headers = self.bearer if (self.folder / "token").exists() else {}
        return httpx.request(method, self.base + path, headers=headers, timeout=PATIENCE)

    def post(self, path: str) -> Any:
        answer = self.request("POST", path)
        assert answer.status_code == 200, (answer.text, self.said)
        return answer.json()

    def get_task(self, task_id: str) -> Any:
        answer = self.request("GET", f"/tasks/{task_id}")
        assert answer.status_code == 200, (answer.text, self.said)
        return answer.json()

    def task_until(self, task_id: str, status: str) -> Any:
        """The task once it has this status."""
        deadline = time.monotonic() + PATIENCE
        while (task := self.get_task(task_id))["status"] != status:
            assert time.monotonic() < deadline, (task, self.said)
            time.sleep(0.02)
        return task

    def wait_up(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while not self._is_up():
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.02)

    def _is_up(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{self.base}/health", timeout=PATIENCE).status_code == 200
        return False

    def terminate(self) -> int:
        """SIGTERM to the server itself; returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def signal_all(self, number: signal.Signals) -> None:
        """To all processes of its group, as a terminal and systemd do; returns when it is gone."""
        os.killpg(self.process.pid, number)
        self.process.wait(PATIENCE)

    def kill(self) -> None:
        """End whatever of the group is left."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE)


@contextmanager
def running(folder: Path, *command: str, **env: str) -> Iterator[Running]:
    """Run ``python -m COMMAND``, in which ``{port}`` is a free port; it serves when the block begins."""
    folder.mkdir(exist_ok=True)
    server = Running(command, folder, folder.with_name(f"{folder.name}-{time.monotonic_ns()}.out"), env)
    try:
        server.wait_up()
        yield server
    finally:
        server.kill()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
