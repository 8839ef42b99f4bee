"""A receiver that costs next to nothing, in a process of its own: it reads requests and answers 200 to each."""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n"


@contextlib.contextmanager
def sink(port: int = 0) -> Iterator[str]:
    """Its base address; ``port`` to come back at the same one."""
    command = [sys.executable, "-m", "tests.benchmarks.sink", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


def _serve(port: int) -> None:
    with socket.create_server(("127.0.0.1", port)) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_answer_all, args=(connection,), daemon=True).start()


def _answer_all(connection: socket.socket) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection, connection.makefile("rb") as requests:
        while (length := _length_of_next(requests)) is not None:
            requests.read(length)
            connection.sendall(_ANSWER)


def _length_of_next(requests: object) -> int | None:
    length = None
    while (line := requests.readline()) not in (b"\r\n", b""):  # type: ignore[attr-defined]
        found = _LENGTH.match(line)
        length = int(found[1]) if found else length
    return length


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
