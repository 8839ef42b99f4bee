"""Spans and log records of the SDK as single encoded messages, as the encoders of its own exporters make them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

from otel_taskflow.journal.otlp import Origin
from otel_taskflow.setup.plain import encode_plain_log, encode_plain_span
from otel_taskflow.telemetry.otlp.requests import TRACES

ORIGINS = 5000
"""Origins that are remembered: an app may make scopes without end."""

_Around = tuple[bytes, str, bytes, str]
"""Resource and its schema url, scope and its schema url."""


class _Nothing:
    """In place of a resource: quick to hash and to encode."""

    attributes: Mapping[str, Any] = {}
    schema_url = ""


class _Bare:
    """A span or log record without resource and scope, which are encoded once and for all."""

    __slots__ = ("_whole",)

    resource = _Nothing()
    instrumentation_scope = None

    def __init__(self, whole: Any) -> None:
        self._whole = whole

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whole, name)


def encode_span(span: Any) -> bytes:
    """A ReadableSpan as an ``opentelemetry.proto.trace.v1.Span``. Raises what the SDK's encoder raises."""
    with suppress(Exception):
        return encode_plain_span(span)
    bare: Any = _Bare(span)
    return bytes(encode_spans([bare]).resource_spans[0].scope_spans[0].spans[0].SerializeToString())


def encode_log(record: Any) -> bytes:
    """A ReadWriteLogRecord as an ``opentelemetry.proto.logs.v1.LogRecord``. Raises what the SDK's encoder raises."""
    with suppress(Exception):
        return encode_plain_log(record)
    bare: Any = _Bare(record)
    return bytes(encode_logs([bare]).resource_logs[0].scope_logs[0].log_records[0].SerializeToString())


class Origins:
    """What is around the spans, or the log records, of a destination: encoded when first seen."""

    def __init__(self, destination: str, signal: str) -> None:
        self._destination = destination
        self._signal = signal
        self._around = _around_span if signal == TRACES else _around_log
        self._found: dict[tuple[int, Any], tuple[Any, Origin]] = {}

    def of(self, item: Any) -> Origin:
        """The origin of a span or log record. Raises what the encoder raises."""
        resource, scope = item.resource, item.instrumentation_scope
        found = self._found.get((id(resource), scope))
        if found is None:
            if len(self._found) >= ORIGINS:
                self._found.clear()
            origin = Origin(self._destination, self._signal, *self._around(item))
            # The resource is kept, so that its id stays its own.
            found = self._found[id(resource), scope] = (resource, origin)
        return found[1]


def _around_span(span: Any) -> _Around:
    group = encode_spans([span]).resource_spans[0]
    return _encoded(group, group.scope_spans[0])


def _around_log(record: Any) -> _Around:
    group = encode_logs([record]).resource_logs[0]
    return _encoded(group, group.scope_logs[0])


def _encoded(group: Any, inner: Any) -> _Around:
    resource, scope = group.resource.SerializeToString(), inner.scope.SerializeToString()
    return bytes(resource), str(group.schema_url), bytes(scope), str(inner.schema_url)


__all__ = ["Origins", "encode_log", "encode_span"]
