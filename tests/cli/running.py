"""An app with something in journal, store and spool, as a process of its own; and the command line beside it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import ROOT
from tests.forkserver.client import Forked

APP = """
import os, sys
from otel_taskflow import OTLPExporter, TaskManager, task_log

manager = TaskManager(dir=sys.argv[1], observers=[OTLPExporter(sys.argv[2], name=sys.argv[3])])


@manager.task
def say(lines):
    for number in range(lines):
        task_log("line \\x1b[31m", number=number, ratio=float("nan"))


manager.add_task(say, 20)
manager.drain()
print("up", flush=True)
for line in sys.stdin:
    manager.add_task(say, int(line))
    manager.drain()
    print("done", flush=True)
os._exit(9)
"""
"""Says when it is up; adds a task for each number that it is told; dies without a word when nobody talks to it."""


class App:
    """The process."""

    def __init__(self, process: Forked) -> None:
        self._process = process
        self.pid = process.pid
        self._hear("up")

    def say(self, lines: int) -> None:
        """Have a task write so many lines, and wait until store and spool have them."""
        self._process.stdin.write(f"{lines}\n")
        self._process.stdin.flush()
        self._hear("done")

    def die(self) -> None:
        """As after ``kill -9``."""
        self._process.stdin.close()
        assert self._process.wait(20) == 9

    def _hear(self, word: str) -> None:
        assert self._process.stdout.readline().strip() == word


@contextmanager
def running(folder: Path, endpoint: str = "http://127.0.0.1:9", destination: str = "away") -> Iterator[App]:
    process = Forked(["-c", APP, str(folder), endpoint, destination], os.environ)
    try:
        yield App(process)
    finally:
        process.kill()
        process.close()


def command(*arguments: str | Path, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """What ``otel-taskflow`` says."""
    return subprocess.run(
        [sys.executable, "-m", "otel_taskflow", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
