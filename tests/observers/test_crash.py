"""A process killed while it logs: the file is completed by the next one; standard output is not repeated."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.conftest import ROOT

LINES = 2000

PROGRAM = """
import os, signal, sys, time
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from otel_taskflow import FileLogger, StdoutLogger, TaskManager, task_log

folder, lines = sys.argv[1], int(sys.argv[2])
log = FileLogger(f"{folder}/app.log", log_lifecycle=True)
manager = TaskManager(dir=f"{folder}/kept", observers=[log, StdoutLogger()])
app = FastAPI()
manager.init_app(app)

@manager.task()
def chatter():
    for number in range(lines):
        task_log(f"line-{number}")
        while number == lines // 2 and not (log.path.exists() and "line-0\\n" in log.path.read_text()):
            time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)

@app.post("/")
def start(tasks=Depends(manager.get_tasks)):
    tasks.add_task(chatter)

with TestClient(app) as client:
    if lines:
        client.post("/")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and not (log.path.exists() and "INTERRUPTED" in log.path.read_text()):
        time.sleep(0.02)
"""


def run(folder: Path, lines: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM, str(folder), str(lines)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_the_next_process_completes_the_file_and_repeats_nothing_on_standard_output(tmp_path: Path) -> None:
    assert run(tmp_path, LINES).returncode == -signal.SIGKILL
    assert "line-0\n" in (tmp_path / "app.log").read_text()
    survivor = run(tmp_path, 0)
    assert survivor.returncode == 0, survivor.stderr
    written = [line.rsplit(" ", 1)[1] for line in (tmp_path / "app.log").read_text().splitlines()]
    counts = Counter(written)
    assert [number for number in range(LINES) if not counts[f"line-{number}"]] == []
    assert max(counts.values()) <= 2
    assert counts["INTERRUPTED"] == 1
    assert "line-" not in survivor.stdout
