"""A server that takes whatever an exporter sends, keeps it as it came, and answers 200."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Request:
    """One request; names of headers in lower case, the body as it was on the wire."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def content(self) -> bytes:
        return gzip.decompress(self.body) if self.headers.get("content-encoding") == "gzip" else self.body

    def spans(self) -> list[Any]:
        groups = ExportTraceServiceRequest.FromString(self.content).resource_spans
        return [span for group in groups for scope in group.scope_spans for span in scope.spans]

    def log_records(self) -> list[Any]:
        groups = ExportLogsServiceRequest.FromString(self.content).resource_logs
        return [record for group in groups for scope in group.scope_logs for record in scope.log_records]

    def metrics(self) -> list[Any]:
        groups = ExportMetricsServiceRequest.FromString(self.content).resource_metrics
        return [metric for group in groups for scope in group.scope_metrics for metric in scope.metrics]


class Intake:
    """What came so far. ``url`` is its base address."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[Request] = []
        self._changed = threading.Condition()

    def keep(self, request: Request) -> None:
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()

    def wait_for(self, condition: Callable[[], object], limit: float = 60.0) -> None:
        """Block until the condition, which is looked at after each request, is true."""
        with self._changed:
            if not self._changed.wait_for(lambda: bool(condition()), limit):
                raise TimeoutError(f"not within {limit} s; there came {[request.path for request in self.requests]}")

    def of(self, path: str) -> list[Request]:
        return [request for request in self.requests if request.path == path]

    def spans(self, path: str) -> list[Any]:
        return [span for request in self.of(path) for span in request.spans()]

    def log_records(self, path: str) -> list[Any]:
        return [record for request in self.of(path) for record in request.log_records()]

    def metrics(self, path: str) -> list[Any]:
        return [metric for request in self.of(path) for metric in request.metrics()]


@contextmanager
def running_intake() -> Iterator[Intake]:
    """An intake that listens on a loopback port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        intake = Intake(f"http://127.0.0.1:{server.server_address[1]}")
        server.intake = intake  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield intake
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.intake.keep(Request(self.path, headers, body))  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        """Silence."""
