"""Spans and log records of plain values in the wire format, as the SDK's encoder has them, at a quarter of its time.

``on_end`` runs in the app's own threads. What is not plain (a None, a mapping, an instance of some subclass, a number or a text
that protobuf does not take) raises, and is for the SDK's encoder, which has its own rules for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otel_taskflow.telemetry.otlp.wire import any_value, attributes, field, fixed32, fixed64, number, text

_MIN, _MAX = -(2**63), 2**63 - 1
_KINDS = {"INTERNAL": 1, "SERVER": 2, "CLIENT": 3, "PRODUCER": 4, "CONSUMER": 5}
_IS_REMOTE_KNOWN = 0x100
_IS_REMOTE = 0x200
_SCALARS = frozenset({str, bool, float})
_LISTS = frozenset({tuple, list})


class NotPlainError(ValueError):
    """The SDK's encoder is to be asked."""


def encode_plain_span(span: Any) -> bytes:
    """A ReadableSpan as an ``opentelemetry.proto.trace.v1.Span``. Raises some exception for what is not plain."""
    context, parent, status = span.context, span.parent, span.status
    state = ",".join([f"{key}={value}" for key, value in context.trace_state.items()]) if context.trace_state else ""
    parts = [
        *_ids(context),
        text(b"\x1a", state),
        field(b"\x22", parent.span_id.to_bytes(8, "big")) if parent else b"",
        text(b"\x2a", span.name),
        number(b"\x30", _KINDS[span.kind.name]),
        fixed64(b"\x39", span.start_time or 0),
        fixed64(b"\x41", span.end_time or 0),
        attributes(b"\x4a", _plain(span.attributes)),
        number(b"\x50", span.dropped_attributes),
        *[field(b"\x5a", _event(event)) for event in span.events],
        number(b"\x60", span.dropped_events),
        *[field(b"\x6a", _link(link)) for link in span.links],
        number(b"\x70", span.dropped_links),
        field(b"\x7a", text(b"\x12", status.description or "") + number(b"\x18", status.status_code.value)),
        fixed32(b"\x85\x01", _flags(parent)),
    ]
    return b"".join(parts)


def encode_plain_log(record: Any) -> bytes:
    """A ReadWriteLogRecord as an ``opentelemetry.proto.logs.v1.LogRecord``. Raises some exception for what is not plain."""
    log = record.log_record
    severity = log.severity_number
    flags = int(log.trace_flags or 0)
    if type(log.body) is not str:
        raise NotPlainError
    parts = [
        fixed64(b"\x09", log.timestamp or 0),
        fixed64(b"\x59", log.observed_timestamp or 0),
        number(b"\x10", 0 if severity is None else severity.value),
        text(b"\x1a", log.severity_text or ""),
        field(b"\x2a", any_value(log.body)),
        attributes(b"\x32", _plain(log.attributes)),
        number(b"\x38", record.dropped_attributes),
        fixed32(b"\x45", flags) if flags else b"",
        field(b"\x4a", log.trace_id.to_bytes(16, "big")) if log.trace_id else b"",
        field(b"\x52", log.span_id.to_bytes(8, "big")) if log.span_id else b"",
        text(b"\x62", log.event_name or ""),
    ]
    return b"".join(parts)


def _event(event: Any) -> bytes:
    return (
        fixed64(b"\x09", event.timestamp or 0)
        + text(b"\x12", event.name)
        + attributes(b"\x1a", _plain(event.attributes))
        + number(b"\x20", event.dropped_attributes)
    )


def _link(link: Any) -> bytes:
    parts = [
        *_ids(link.context),
        attributes(b"\x22", _plain(link.attributes)),
        number(b"\x28", link.dropped_attributes),
        fixed32(b"\x35", _flags(link.context)),
    ]
    return b"".join(parts)


def _ids(context: Any) -> tuple[bytes, bytes]:
    return field(b"\x0a", context.trace_id.to_bytes(16, "big")), field(b"\x12", context.span_id.to_bytes(8, "big"))


def _flags(context: Any) -> int:
    return _IS_REMOTE_KNOWN | _IS_REMOTE if context and context.is_remote else _IS_REMOTE_KNOWN


def _plain(given: Mapping[str, Any] | None) -> dict[str, Any]:
    values = dict(given) if given else {}
    for value in values.values():
        if type(value) in _LISTS:
            for each in value:
                _check(each)
        else:
            _check(value)
    return values


def _check(value: Any) -> None:
    kind = type(value)
    if kind not in _SCALARS and not (kind is int and _MIN <= value <= _MAX):
        raise NotPlainError


__all__ = ["NotPlainError", "encode_plain_log", "encode_plain_span"]
