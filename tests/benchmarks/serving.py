"""A real server on a socket, and a client process that asks one question after the other."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from time import perf_counter_ns, sleep

import uvicorn
from fastapi import FastAPI

_LENGTH = re.compile(rb"content-length: (\d+)\r\n(?:.*?\r\n)??\r\n", re.DOTALL)
PAUSE = 0.002
"""Seconds between two requests of the client."""


@contextlib.contextmanager
def served(app: FastAPI) -> Iterator[int]:
    """Serve on a free port of the loopback; gives the port."""
    # Named, or asyncio leaves Nagle's algorithm on, which waits for the delayed acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        sleep(0.01)
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(15)


def ask(port: int, path: str, seconds: float) -> list[int]:
    """Nanoseconds of each answer that another process got."""
    command = [sys.executable, "-m", "tests.benchmarks.serving", str(port), path, str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 30)
    taken: list[int] = json.loads(done.stdout)
    return taken


def _ask(port: int, path: str, seconds: float) -> list[int]:
    request = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n".encode()
    taken = []
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        end = perf_counter_ns() + int(seconds * 1e9)
        while (begin := perf_counter_ns()) < end:
            connection.sendall(request)
            answer = _answer(connection)
            taken.append(perf_counter_ns() - begin)
            assert answer.startswith(b"HTTP/1.1 200"), answer
            sleep(PAUSE)
    return taken


def _answer(connection: socket.socket) -> bytes:
    """Head and body, which may come in pieces."""
    answer = connection.recv(65536)
    while not (found := _LENGTH.search(answer)) or len(answer) < found.end() + int(found[1]):
        answer += connection.recv(65536)
    return answer


if __name__ == "__main__":
    print(json.dumps(_ask(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]))))
