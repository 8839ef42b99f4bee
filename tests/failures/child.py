"""A program of ``programs.py`` in a process of its own, perhaps under something that hurts it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.conftest import ROOT
from tests.crash.child import Child
from tests.forkserver.client import Forked

FIRST = ("tests.failures.clock",)
"""They must be there before the package is imported."""


class Failing(Child):
    """Its whole process group goes with it: under strace it is not the child itself that has to be killed."""

    patience = 240.0

    def __init__(self, program: str, folder: Path, *args: object, under: Sequence[str], module: str) -> None:
        self._under = under
        self.module = module
        super().__init__(program, folder, *args, is_measured=False)

    def start(self, arguments: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[str] | Forked:
        """Behind those words it is a command, as it is where it changes what the package imports."""
        if not self._under and self.module not in FIRST:
            return super().start(arguments, environment)
        return subprocess.Popen(
            [*self._under, sys.executable, *arguments],
            cwd=ROOT,
            env={**environment, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        super().close()

    def do(self, verb: str, *values: object) -> Any:
        """Let it do something; returns what it says."""
        self.begin(verb, *values)
        return self.end(verb, *values)

    def begin(self, verb: str, *values: object) -> None:
        """Let it begin something."""
        self.tell(_line(verb, *values))

    def end(self, verb: str, *values: object) -> Any:
        """Wait for what it says to what it began."""
        return json.loads(self.says(_line(verb, *values)))


def _line(verb: str, *values: object) -> str:
    return " ".join([verb, *map(json.dumps, values)])


@contextmanager
def failing(
    program: str, folder: Path, *args: object, under: Sequence[str] = (), module: str = "tests.failures.programs"
) -> Iterator[Failing]:
    """Run a program, behind the words ``under``; it is gone when the block ends."""
    process = Failing(program, folder, *args, under=under, module=module)
    try:
        yield process
    finally:
        process.close()
