"""A wire between browser and server that a test can cut, or let a connection die on without a word."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

STREAM = b"GET /tasks/dashboard/stream"


class Wire:
    """Passes bytes on in both directions. While it is cut, connections end at once.

    Connections that carry a live stream can be made silent: what is sent on them arrives nowhere, and nobody is told.
    """

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._streams: set[socket.socket] = set()
        self._silent: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._is_cut = False
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def cut(self) -> None:
        with self._lock:
            self._is_cut = True
            for end in self._open:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        with self._lock:
            self._is_cut = False

    def lead_to(self, port: int) -> None:
        """Another server, for connections that come."""
        self._target = ("127.0.0.1", port)

    def silence_streams(self) -> None:
        """The streams that are open now; later ones are heard."""
        with self._lock:
            self._silent |= self._streams

    def close(self) -> None:
        self.cut()
        # A thread waits in accept(): only a shutdown wakes it.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self._connect(near)

    def _connect(self, near: socket.socket) -> None:
        with self._lock:
            if self._is_cut:
                near.close()
                return
            far = socket.create_connection(self._target)
            self._open |= {near, far}
        for source, sink in ((near, far), (far, near)):
            threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                with self._lock:
                    self._streams |= {source, sink} if STREAM in data else set()
                    is_silent = source in self._silent
                if not is_silent:
                    sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._open.discard(source)
        source.close()


@contextlib.contextmanager
def wire_to(port: int) -> Iterator[Wire]:
    wire = Wire(port)
    try:
        yield wire
    finally:
        wire.close()
