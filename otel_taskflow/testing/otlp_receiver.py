"""A receiver of OTLP over HTTP for tests, which answers as its script says and keeps what it accepted.

    with OTLPReceiver([Reply(503), Reply(429, headers={"Retry-After": "1"})]) as receiver:
        ...  # send to receiver.url
    assert len(receiver.spans) == 3

What was sent minus what it kept is what was lost, and must be what the sender counted.
"""

from __future__ import annotations

import gzip
import os
import socket
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, NamedTuple

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

PROTOBUF = "application/x-protobuf"


@dataclass(frozen=True)
class Reply:
    """One answer.

    Attributes:
        body: Bytes or text; None for what OTLP says belongs there.
        delay: Seconds before it is sent.
        rejected: The first so many records of the request are not kept, and the answer says so (partial success).
        message: The text of a partial success.
        ending: ``complete``; or, in the middle of the answer, ``reset`` (the peer sees "connection reset") or ``shutdown``
            (it sees an early end).
        keeps: Whether the records are kept. None: if the answer is a complete 2xx.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | str | None = None
    delay: float = 0.0
    rejected: int = 0
    message: str = ""
    ending: Literal["complete", "reset", "shutdown"] = "complete"
    keeps: bool | None = None

    @property
    def accepts(self) -> bool:
        """Whether the records of the request are kept."""
        return self.keeps if self.keeps is not None else 200 <= self.status < 300 and self.ending == "complete"


class Received(NamedTuple):
    """One request: its path, headers (names in lower case), decompressed body, and what it was answered."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    reply: Reply


class OTLPReceiver:
    """Listens on a loopback port while it is open.

    Attributes:
        default: The answer when the script is at its end.
        requests: Every request, in order.
        spans: The spans of requests that were accepted, as protobuf messages, in order.
        log_records: The log records.
        resources: The resource of each of both, in the order they came.

    Args:
        script: Answers, one a request.
        poison: Called with each span or log record; one for which it is true spoils its request.
        poison_status: The answer to such a request.
        max_body: Bytes; a larger body, decompressed, is answered 413.
        port: 0 for a free one. The port is kept over ``stop`` and ``start``.
        tls: For https.
    """

    def __init__(
        self,
        script: Iterable[Reply] = (),
        *,
        poison: Callable[[Any], bool] | None = None,
        poison_status: int = 400,
        max_body: int | None = None,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.default = Reply()
        self.requests: list[Received] = []
        self.spans: list[Any] = []
        self.log_records: list[Any] = []
        self.resources: list[Any] = []
        self._script = deque(script)
        self._poison = poison
        self._poison_status = poison_status
        self._max_body = max_body
        self._port = port
        self._tls = tls
        self._changed = threading.Condition()
        self._server: _Server | None = None

    def __enter__(self) -> OTLPReceiver:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The base address. Known once it was started."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}"

    @property
    def span_ids(self) -> list[str]:
        """Of the accepted spans, in hex, in order; one that came twice is there twice."""
        return [span.span_id.hex() for span in self.spans]

    @property
    def log_bodies(self) -> list[str]:
        """The texts of the accepted log records, in order."""
        return [record.body.string_value for record in self.log_records]

    def start(self) -> None:
        """Listen."""
        self._server = _Server(("127.0.0.1", self._port), self)
        self._port = self._server.server_address[1]
        if self._tls is not None:
            self._server.socket = self._tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Listen no more and break open connections: connections are refused from now on. Idempotent."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            self._thread.join()
            server.server_close()
            server.break_connections()

    def reply(self, *replies: Reply) -> None:
        """Put answers at the end of the script."""
        with self._changed:
            self._script.extend(replies)

    def wait_for(self, condition: Callable[[OTLPReceiver], object], timeout: float = 10.0) -> bool:
        """Block until the condition, which is looked at after each request, is true."""
        with self._changed:
            return self._changed.wait_for(lambda: bool(condition(self)), timeout)

    def take(self, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Judge one request, and keep what is accepted of it. Called by the server."""
        with self._changed:
            groups = list(_records(path, body))
            reply = self._judged(groups, body)
            self.requests.append(Received(path, headers, body, reply))
            if reply.accepts:
                self._keep(path, groups[reply.rejected :])
            self._changed.notify_all()
            return reply

    def _judged(self, groups: list[tuple[Any, Any]], body: bytes) -> Reply:
        if self._max_body is not None and len(body) > self._max_body:
            return Reply(413, body=f"request body too large: {len(body)} bytes")
        if self._poison is not None and any(self._poison(record) for _, record in groups):
            return Reply(self._poison_status, body="invalid record")
        return self._script.popleft() if self._script else self.default

    def _keep(self, path: str, groups: list[tuple[Any, Any]]) -> None:
        (self.spans if path.endswith("/traces") else self.log_records).extend(record for _, record in groups)
        self.resources.extend(resource for resource, _ in groups)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], receiver: OTLPReceiver) -> None:
        self.receiver = receiver
        self._connections: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def break_connections(self) -> None:
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A peer that went away is nothing to tell about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.server.receiver.take(self.path, headers, body)
        if reply.delay:
            time.sleep(reply.delay)
        self._answer(reply)

    def _answer(self, reply: Reply) -> None:
        content = _content(self.path, reply)
        whole = _head(reply, len(content)) + content
        if reply.ending == "complete":
            self.wfile.write(whole)
            return
        self.close_connection = True
        self.wfile.write(_head(reply, len(content) + 100) + content)
        if reply.ending == "reset":
            _reset(self.connection)
        else:
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_args: object) -> None:
        """Silence."""


def _records(path: str, body: bytes) -> Iterator[tuple[Any, Any]]:
    """(resource, record) of everything in a request; nothing if the path is of no signal."""
    if path.endswith("/v1/traces"):
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            yield from ((group.resource, span) for scope in group.scope_spans for span in scope.spans)
    elif path.endswith("/v1/logs"):
        for lines in ExportLogsServiceRequest.FromString(body).resource_logs:
            yield from ((lines.resource, record) for scope in lines.scope_logs for record in scope.log_records)


def _content(path: str, reply: Reply) -> bytes:
    if reply.body is not None:
        return reply.body.encode() if isinstance(reply.body, str) else reply.body
    response: Any
    if path.endswith("/traces"):
        response = ExportTraceServiceResponse()
        response.partial_success.rejected_spans = reply.rejected
    else:
        response = ExportLogsServiceResponse()
        response.partial_success.rejected_log_records = reply.rejected
    response.partial_success.error_message = reply.message
    return bytes(response.SerializeToString()) if reply.rejected or reply.message else b""


def _head(reply: Reply, length: int) -> bytes:
    phrases = {status.value: status.phrase for status in HTTPStatus}
    kind = "text/plain; charset=utf-8" if isinstance(reply.body, str) else PROTOBUF
    headers = {"Content-Type": kind, "Content-Length": str(length), **reply.headers}
    lines = [
        f"HTTP/1.1 {reply.status} {phrases.get(reply.status, '')}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _reset(connection: socket.socket) -> None:
    """Close with a RST instead of a FIN, at once: an ordinary close waits for the files made of the socket."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(connection.detach())


__all__ = ["OTLPReceiver", "Received", "Reply"]
