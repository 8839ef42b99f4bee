"""A server as a child process: started, asked until it is ready, stopped or killed, started again on the same ports and data."""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from tests.conftest import ROOT, require_program

START_LIMIT = 60.0
STOP_LIMIT = 30.0
PAUSE = 0.1


@dataclass
class Program:
    """A server on loopback. ``url`` is its base address, ``ready`` the path that answers 200 once it can be used."""

    command: list[str]
    environment: Mapping[str, str]
    url: str
    ready: str
    log: Path
    process: subprocess.Popen[bytes] = field(init=False)

    def start(self) -> None:
        """Start it, also after a stop or kill, and wait until it is ready. Its log goes on."""
        with self.log.open("ab") as stream:
            self.process = subprocess.Popen(
                self.command, env=dict(self.environment), stdout=stream, stderr=subprocess.STDOUT
            )
        try:
            self.wait_until(self.is_ready, START_LIMIT)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """End it with SIGTERM and wait."""
        self.process.terminate()
        try:
            self.process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> None:
        """End it as a crash would."""
        self.process.kill()
        self.process.wait()

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(self.url + self.ready, timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def get(self, path: str, parameters: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Any:
        """The JSON that it answers. An HTTP error is raised with the server's text."""
        address = f"{self.url}{path}?{urllib.parse.urlencode(parameters)}"
        request = urllib.request.Request(address, headers=dict(headers or {}))
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise QueryError(f"{error.code} for {parameters}: {error.read().decode()}") from None

    def wait_until(self, condition: Callable[[], bool], limit: float = 60.0) -> None:
        """Ask again until the condition holds; the server's death or the limit is an error with its log."""
        deadline = monotonic() + limit
        while not condition():
            if self.process.poll() is not None:
                raise ChildProcessError(f"{self.command[0]} ended with {self.process.returncode}:\n{self._log_end()}")
            if monotonic() > deadline:
                raise TimeoutError(f"{self.command[0]}: not within {limit} s. Its log ends:\n{self._log_end()}")
            self._pause()

    def _pause(self) -> None:
        try:
            self.process.wait(PAUSE)
        except subprocess.TimeoutExpired:
            return

    def _log_end(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])


class QueryError(Exception):
    """A server refused a query; says which and why."""


def require_backend(name: str) -> Path:
    """The binary that `make backends` built; a skip where it was not, an error in CI."""
    return require_program(str(ROOT / ".build" / name), remedy="`make backends` builds it")
