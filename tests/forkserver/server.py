"""``python -m tests.forkserver.server DESCRIPTOR``: forks the programs that this listening socket asks for, until its input ends.

It has one thread and runs nothing of what it has imported. Each program has a process between it and this one, which waits for it
and says how it ended: only its parent can.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
import types
from contextlib import suppress
from typing import Any

IMPORTED = (
    "asyncio",
    "coverage",
    "fastapi.testclient",
    "google.protobuf",
    "opentelemetry.exporter.otlp.proto.common._internal._log_encoder",
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry.sdk._logs.export",
    "opentelemetry.sdk.metrics.export",
    "opentelemetry.sdk.trace.export",
    "otel_taskflow.export",
    "otel_taskflow.manager.runtime",
    "otel_taskflow.manager.task_manager",
    "otel_taskflow.setup.processors",
    "otel_taskflow.setup.telemetry",
    "otel_taskflow.web",
    "requests",
    "uvicorn",
)
LENGTH = 8
"""Bytes that say how long a request is."""


def serve(listener: socket.socket) -> dict[str, Any]:
    """Returns in each program, with what was asked for; in the server, never."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how the processes between ended
    while True:
        readable, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in readable:
            os._exit(0)
        connection, _ = listener.accept()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listener.close()
            return _fork_and_wait(connection)
        connection.close()


def _fork_and_wait(connection: socket.socket) -> dict[str, Any]:
    request, streams = _receive(connection)
    if (pid := os.fork()) == 0:
        connection.close()
        _take(streams)
        return request
    for descriptor in streams:
        os.close(descriptor)
    with suppress(OSError):  # who asked may not listen any more
        connection.sendall(b"%d\n" % pid)
        connection.sendall(b"%d\n" % _wait(pid))
        connection.recv(1)  # until who asked has taken note: the number is nobody else's so long
    os._exit(0)


def _wait(pid: int) -> int:
    """Wait for its end, and leave it to be waited for. Returns its exit status, or minus the signal that killed it."""
    ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert ended is not None
    return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status


def _receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    length, descriptors, _, _ = socket.recv_fds(connection, LENGTH, 3)
    with connection.makefile("rb") as stream:
        return json.loads(stream.read(int.from_bytes(length, "big"))), descriptors


# The server has not read from its own streams, so that the objects that Python has for them are as new.
def _take(streams: list[int]) -> None:
    for descriptor, own in zip(streams, range(3), strict=True):
        os.dup2(descriptor, own)
        os.close(descriptor)


def run(request: dict[str, Any]) -> None:
    """Be the program."""
    if request["start_new_session"]:
        os.setsid()
    os.environ.clear()
    os.environ.update(request["env"])
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr] # as it was made at the start
    if "COVERAGE_PROCESS_CONFIG" in os.environ:
        importlib.import_module("coverage").process_startup()
    first, sys.argv = request["args"][0], request["args"][1:]
    if first == "-m":
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        _execute(sys.argv[0])


def _execute(text: str) -> None:
    sys.argv[0] = "-c"
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    exec(compile(text, "<string>", "exec"), vars(main))


if __name__ == "__main__":
    for module in IMPORTED:
        importlib.import_module(module)
    gc.freeze()
    run(serve(socket.socket(fileno=int(sys.argv[1]))))
