"""The span of an attempt whose process died, for an exporter of the SDK. No provider takes a span that it did not start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode

from otel_taskflow.errors import ConfigurationError
from otel_taskflow.telemetry import semconv
from otel_taskflow.telemetry.additions import unpacked_attributes
from otel_taskflow.telemetry.carrier import span_context_of
from otel_taskflow.telemetry.otlp.values import SpanData
from otel_taskflow.version import __version__

_SCOPE = InstrumentationScope(semconv.SCOPE, __version__, semconv.SCHEMA_URL)


def check_recovery_exporter(exporter: Any) -> None:
    """Raise ConfigurationError for what exports no spans of the SDK."""
    if not isinstance(exporter, SpanExporter):
        raise ConfigurationError(
            f"recovery_exporter={exporter!r} must be an opentelemetry.sdk.trace.export.SpanExporter, such as "
            "OTLPSpanExporter(); leave it out if nobody is to export the spans of processes that died "
            "(an OTLPExporter of otel_taskflow goes into observers=, and needs none)"
        )


def export(exporter: SpanExporter, spans: list[ReadableSpan]) -> None:
    """Hand spans over. Raises what the exporter raises, and RuntimeError if it says that it failed."""
    result = exporter.export(spans)
    if result is not SpanExportResult.SUCCESS:
        raise RuntimeError(f"{type(exporter).__name__}.export() returned {result}")


def readable_span(data: SpanData, resource: Mapping[str, Any], resource_schema_url: str) -> ReadableSpan:
    """The span as an SDK's exporter takes it, of a process with this resource, as a journal has it."""
    return ReadableSpan(
        name=data.name,
        context=span_context_of(data.identity),
        parent=_parent(data),
        resource=Resource(unpacked_attributes(resource), resource_schema_url),
        attributes=data.attributes,
        events=[Event(each.name, each.attributes, each.time) for each in data.events],
        links=[Link(span_context_of(each.identity, is_remote=each.is_remote), each.attributes) for each in data.links],
        kind=SpanKind[data.kind.upper()],
        status=Status(StatusCode[data.status.upper()], data.status_description or None),
        start_time=data.start_time,
        end_time=data.end_time,
        instrumentation_scope=_SCOPE,
    )


def _parent(data: SpanData) -> SpanContext | None:
    identity = data.identity
    if identity.parent_span_id is None:
        return None
    return span_context_of(identity._replace(span_id=identity.parent_span_id), is_remote=data.is_parent_remote)


__all__ = ["ReadableSpan", "SpanExporter", "check_recovery_exporter", "export", "readable_span"]
