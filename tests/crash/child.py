"""A program of ``programs.py`` in a process of its own, which answers line by line and can be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue

from tests.conftest import unmeasured
from tests.forkserver.client import Forked

PATIENCE = 20.0


class Child:
    """Its standard output is a sequence of lines; ``says`` waits for one of them."""

    module = "tests.crash.programs"
    patience = PATIENCE

    def __init__(
        self, program: str, folder: Path, *args: object, env: dict[str, str] | None = None, is_measured: bool = True
    ) -> None:
        environment = {**(os.environ if is_measured else unmeasured()), **(env or {})}
        self.process = self.start(["-m", self.module, program, str(folder), *map(str, args)], environment)
        self.lines: list[str] = []
        self.errors: list[str] = []
        self._heard: Queue[str | None] = Queue()
        self._readers = [
            threading.Thread(target=self._listen, daemon=True),
            threading.Thread(target=self._read_errors, daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def start(self, arguments: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[str] | Forked:
        """Start Python with these arguments."""
        return Forked(arguments, environment, start_new_session=True)

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.endswith("\n"):
                self.lines.append(line.rstrip("\n"))
                self._heard.put(self.lines[-1])
        self._heard.put(None)

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        self.errors.extend(self.process.stderr)

    @property
    def stderr(self) -> str:
        return "".join(self.errors)

    def says(self, start: str) -> str:
        """The rest of the next line that begins so."""
        while True:
            try:
                line = self._heard.get(timeout=self.patience)
            except Empty:
                raise AssertionError(f"no {start!r} within {self.patience} s; {self.stderr}") from None
            assert line is not None, f"ended before {start!r}: {self.lines[-3:]} {self.stderr}"
            if line.startswith(start):
                return line[len(start) :].strip()

    def tell(self, line: str) -> None:
        """Write a line to its input."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def asks(self, line: str) -> str:
        """Tell a line; returns the answer, which repeats it."""
        self.tell(line)
        return self.says(line)

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone and all it said was read."""
        self.process.kill()
        self.ends()

    def ends(self) -> int:
        """Wait for its end; returns its exit code."""
        code = self.process.wait(PATIENCE)
        for reader in self._readers:
            reader.join(PATIENCE)
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)
        for reader in self._readers:
            reader.join(PATIENCE)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe is not None
            try:
                pipe.close()
            except BrokenPipeError:
                continue


@contextmanager
def child(
    program: str, folder: Path, *args: object, env: dict[str, str] | None = None, is_measured: bool = True
) -> Iterator[Child]:
    """Run a program; it is gone when the block ends. ``is_measured``: its coverage too."""
    process = Child(program, folder, *args, env=env, is_measured=is_measured)
    try:
        yield process
    finally:
        process.close()
