"""Values as OTLP protobuf messages, each encoded on its own. Standard wire format of opentelemetry-proto 1."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from otel_taskflow.model import SpanIdentity
from otel_taskflow.telemetry.otlp.values import LogData, SpanData, SpanEvent, SpanLink
from otel_taskflow.telemetry.otlp.wire import any_value, attributes, field, fixed32, fixed64, number, text

_KINDS = {"producer": 4, "consumer": 5}
_STATUSES = {"unset": 0, "ok": 1, "error": 2}
_IS_REMOTE_KNOWN = 0x100
_IS_REMOTE = 0x200


def encode_span(span: SpanData) -> bytes:
    """An ``opentelemetry.proto.trace.v1.Span``."""
    identity = span.identity
    parts = [
        field(b"\x0a", bytes.fromhex(identity.trace_id)),
        field(b"\x12", bytes.fromhex(identity.span_id)),
        text(b"\x1a", identity.trace_state),
        field(b"\x22", bytes.fromhex(identity.parent_span_id)) if identity.parent_span_id else b"",
        text(b"\x2a", span.name),
        number(b"\x30", _KINDS[span.kind]),
        fixed64(b"\x39", span.start_time),
        fixed64(b"\x41", span.end_time),
        attributes(b"\x4a", span.attributes),
        number(b"\x50", span.dropped_attributes),
        *[field(b"\x5a", _event(event)) for event in span.events],
        number(b"\x60", span.dropped_events),
        *[field(b"\x6a", _link(link)) for link in span.links],
        number(b"\x70", span.dropped_links),
        field(b"\x7a", text(b"\x12", span.status_description) + number(b"\x18", _STATUSES[span.status])),
        fixed32(b"\x85\x01", _flags(span.is_parent_remote)),
    ]
    return b"".join(parts)


def encode_log(log: LogData) -> bytes:
    """An ``opentelemetry.proto.logs.v1.LogRecord``."""
    parts = [
        fixed64(b"\x09", log.time),
        fixed64(b"\x59", log.observed_time),
        number(b"\x10", log.severity),
        text(b"\x1a", log.severity_text),
        field(b"\x2a", any_value(log.body)),
        attributes(b"\x32", log.attributes),
        number(b"\x38", log.dropped_attributes),
        _place_of_log(log.identity) if log.identity is not None and log.identity.trace_id else b"",
        text(b"\x62", log.event_name),
    ]
    return b"".join(parts)


def encode_resource(values: Mapping[str, Any]) -> bytes:
    """An ``opentelemetry.proto.resource.v1.Resource``."""
    return attributes(b"\x0a", values)


def encode_scope(name: str, version: str) -> bytes:
    """An ``opentelemetry.proto.common.v1.InstrumentationScope``."""
    return text(b"\x0a", name) + text(b"\x12", version)


@lru_cache(maxsize=256)
def _place_of_log(identity: SpanIdentity) -> bytes:
    """Trace, span and flags: the same in all records of an attempt."""
    flags = identity.trace_flags & 0xFF
    return (
        (fixed32(b"\x45", flags) if flags else b"")
        + field(b"\x4a", bytes.fromhex(identity.trace_id))
        + field(b"\x52", bytes.fromhex(identity.span_id))
    )


def _event(event: SpanEvent) -> bytes:
    return fixed64(b"\x09", event.time) + text(b"\x12", event.name) + attributes(b"\x1a", event.attributes)


def _link(link: SpanLink) -> bytes:
    identity = link.identity
    return (
        field(b"\x0a", bytes.fromhex(identity.trace_id))
        + field(b"\x12", bytes.fromhex(identity.span_id))
        + text(b"\x1a", identity.trace_state)
        + attributes(b"\x22", link.attributes)
        + fixed32(b"\x35", _flags(link.is_remote))
    )


def _flags(is_remote: bool) -> int:
    """Whether the context is remote, and that this is known (proto, ``SpanFlags``)."""
    return _IS_REMOTE_KNOWN | _IS_REMOTE if is_remote else _IS_REMOTE_KNOWN
