"""``Forked``: a Python program that starts at once, used as ``subprocess.Popen``."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from tests.conftest import ROOT, unmeasured
from tests.forkserver.server import LENGTH


class Forked:
    """A program of ``sys.executable``, in the project's folder. Its streams are pipes for text.

    Args:
        args: ``-m MODULE ...`` or ``-c TEXT ...``, as after the interpreter's name.
        env: Its environment. What Python and the libraries read of it when they are imported, they have read before.
        stderr: An open file that takes its errors, in the place of a pipe: there is nothing to read here, then.
        start_new_session: Give it a session and a process group of its own.
    """

    def __init__(
        self,
        args: Sequence[str],
        env: Mapping[str, str],
        *,
        stderr: IO[Any] | None = None,
        start_new_session: bool = False,
    ) -> None:
        self.args = [sys.executable, *args]
        self.returncode: int | None = None
        self._ending = threading.Lock()
        (its_in, own_in), (own_out, its_out) = os.pipe(), os.pipe()
        own_err, its_err = os.pipe() if stderr is None else (os.open(os.devnull, os.O_RDONLY), os.dup(stderr.fileno()))
        self.stdin: IO[str] = os.fdopen(own_in, "w", encoding="utf-8")
        self.stdout: IO[str] = os.fdopen(own_out, encoding="utf-8")
        self.stderr: IO[str] = os.fdopen(own_err, encoding="utf-8")
        request = {"args": list(args), "env": dict(env), "start_new_session": start_new_session}
        self._connection = _ask(json.dumps(request).encode(), its_in, its_out, its_err)
        self.pid = self._hear()

    def poll(self) -> int | None:
        """How it ended; None while it runs."""
        try:
            return self.wait(0.0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; returns its exit status, or minus the signal that killed it. Raises subprocess.TimeoutExpired."""
        with self._ending:
            if self.returncode is None:
                if not select.select([self._connection], [], [], timeout)[0]:
                    raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
                self.returncode = self._hear()
                self._connection.close()
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Tell it nothing more; returns what it wrote and its errors, when it has ended. Raises subprocess.TimeoutExpired."""
        said: dict[str, str] = {}
        readers = [
            threading.Thread(target=lambda name=name: said.update({name: getattr(self, name).read()}), daemon=True)
            for name in ("stdout", "stderr")
        ]
        for reader in readers:
            reader.start()
        self.stdin.close()
        self.wait(timeout)
        for reader in readers:
            reader.join()
        self.stdout.close()
        self.stderr.close()
        return said["stdout"], said["stderr"]

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def close(self) -> None:
        """Wait for its end, with nothing more to tell it; what it says is read no more."""
        for pipe in (self.stdin, self.stdout, self.stderr):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
        self.wait()

    def _hear(self) -> int:
        line = bytearray()
        while not line.endswith(b"\n"):
            line += self._connection.recv(1) or _broken()
        return int(line)


def _broken() -> bytes:
    raise ChildProcessError("the server that forks programs has gone")


def _ask(request: bytes, *streams: int) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(str(_server().address))
        socket.send_fds(connection, [len(request).to_bytes(LENGTH, "big")], streams)
        connection.sendall(request)
    finally:
        for stream in streams:
            os.close(stream)
    return connection


class _Server:
    """One for each process that runs tests; it ends with that."""

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix="fork-")
        self.address = Path(self._folder.name, "server")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self.address))
            listener.listen(128)
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.forkserver.server", str(listener.fileno())],
                env={name: value for name, value in unmeasured().items() if not name.startswith("OTEL_")},
                cwd=ROOT,
                stdin=subprocess.PIPE,
                pass_fds=[listener.fileno()],
                start_new_session=True,
            )
        atexit.register(self._close)

    def _close(self) -> None:
        self._process.communicate()
        self._folder.cleanup()


@cache
def _server() -> _Server:
    return _Server()
