"""Encoded OTLP messages as JSON, for people who look into a file. Never raises for what is damaged."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from otel_taskflow.telemetry.otlp.requests import TRACES

_IDS = frozenset({"traceId", "spanId", "parentSpanId"})
"""In OTLP's JSON these are hex, where protobuf's own has base64."""


def message_json(signal: str | None, body: bytes) -> dict[str, Any]:
    """A span or log record, as OTLP's JSON has it."""
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    return _decoded(Span if signal == TRACES else LogRecord, body)


def resource_json(resource: bytes) -> dict[str, Any]:
    """A resource."""
    from opentelemetry.proto.resource.v1.resource_pb2 import Resource

    return _decoded(Resource, resource)


def scope_json(scope: bytes) -> dict[str, Any]:
    """An instrumentation scope."""
    from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope

    return _decoded(InstrumentationScope, scope)


def _decoded(kind: Any, body: bytes) -> dict[str, Any]:
    from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped] # protobuf carries no types
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped] # as above

    try:
        found: dict[str, Any] = MessageToDict(kind.FromString(body))
    except (DecodeError, ValueError) as error:
        return {"unreadable": str(error), "base64": b64encode(body).decode()}
    return {name: _with_hex_ids(name, value) for name, value in found.items()}


def _with_hex_ids(name: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_with_hex_ids(name, each) for each in value]
    if isinstance(value, dict):
        return {inner: _with_hex_ids(inner, each) for inner, each in value.items()}
    return _hex(value) if name in _IDS else value


def _hex(text: str) -> str:
    from base64 import b64decode

    return b64decode(text).hex()


__all__ = ["message_json", "resource_json", "scope_json"]
