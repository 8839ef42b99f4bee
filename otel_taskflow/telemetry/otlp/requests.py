"""Requests put together from encoded messages, and what their answers say.

``ExportTraceServiceRequest`` and ``ExportLogsServiceRequest`` have the same field numbers at every level, so one function
writes both. Nothing is parsed or encoded again on the way: a message in the wire format is its fields one behind the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from otel_taskflow.telemetry.otlp.wire import field, length

TRACES = "traces"
LOGS = "logs"
SIGNALS = (TRACES, LOGS)

_FIRST = b"\x0a"
"""Field 1 with a length: a request's ResourceSpans, their resource, a ScopeSpans' scope."""
_SECOND = b"\x12"
"""Field 2 with a length: the ScopeSpans of ResourceSpans, the spans of ScopeSpans."""
_THIRD = b"\x1a"
"""Field 3 with a length: the schema url, at both levels."""


class Source(Protocol):
    """Resource and scope around a message, encoded, with their schema urls."""

    @property
    def resource(self) -> bytes:
        """An encoded ``opentelemetry.proto.resource.v1.Resource``."""

    @property
    def resource_schema_url(self) -> str:
        """Schema of the resource's attributes; may be empty."""

    @property
    def scope(self) -> bytes:
        """An encoded ``opentelemetry.proto.common.v1.InstrumentationScope``."""

    @property
    def scope_schema_url(self) -> str:
        """Schema of what is in the scope; may be empty."""


Group = tuple[Source, Sequence[bytes]]
Parts = list[bytes]


def request(groups: Iterable[Group]) -> bytes:
    """The body of an export request, for either signal: each source's encoded spans or log records, in the order given.

    Sources of one resource come under one ResourceSpans (ResourceLogs), at the place of the first.
    """
    resources: dict[tuple[bytes, str], Parts] = {}
    for source, bodies in groups:
        scopes = resources.setdefault((source.resource, source.resource_schema_url), [])
        scopes += _message(_SECOND, _scope_messages(source, bodies))
    # Joined once, at the end: a request is large, and each copy of it costs as much as all the rest.
    parts: Parts = []
    for (resource, schema_url), scopes in resources.items():
        parts += _message(_FIRST, [field(_FIRST, resource), *scopes, _url(schema_url)])
    return b"".join(parts)


def rejected(signal: str, body: bytes) -> tuple[int, str]:
    """How many records a 2xx answer says were not taken, and its text; (0, "") if it says nothing or is no protobuf."""
    partial = _parsed(_response_type(signal), body)
    if partial is None:
        return 0, ""
    found = partial.partial_success
    count = found.rejected_spans if signal == TRACES else found.rejected_log_records
    return max(0, count), found.error_message


def status_text(body: bytes) -> str:
    """The text of a failure's ``google.rpc.Status``, empty if it has none or is no protobuf."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTracePartialSuccess

    # A number and a text in fields 1 and 2, as in Status: its own class would need one more package.
    found = _parsed(ExportTracePartialSuccess, body)
    return "" if found is None else str(found.error_message)


def load_answers() -> None:
    """Import now what answers are read with, which is otherwise imported with the first one."""
    status_text(b"")
    _response_type(TRACES)


def _response_type(signal: str) -> Any:
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

    return ExportTraceServiceResponse if signal == TRACES else ExportLogsServiceResponse


def _parsed(kind: Any, body: bytes) -> Any:
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped] # protobuf carries no types

    try:
        return kind.FromString(body)
    except DecodeError:
        return None


def _scope_messages(source: Source, bodies: Sequence[bytes]) -> Parts:
    messages = [part for body in bodies for part in (_SECOND, length(len(body)), body)]
    return [field(_FIRST, source.scope), *messages, _url(source.scope_schema_url)]


def _message(tag: bytes, content: Parts) -> Parts:
    """A field of a message, whose parts are not joined yet."""
    return [tag, length(sum(map(len, content))), *content]


def _url(schema_url: str) -> bytes:
    return field(_THIRD, schema_url.encode()) if schema_url else b""


__all__ = ["LOGS", "SIGNALS", "TRACES", "Group", "Source", "load_answers", "rejected", "request", "status_text"]
