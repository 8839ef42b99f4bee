"""A tracer provider for spans that are exported from the journal: the app's own in all but its processors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider

from otel_taskflow.telemetry.otlp.values import DataLimits


class ResourceData(NamedTuple):
    """A resource as JSON can keep it."""

    attributes: Mapping[str, Any]
    schema_url: str


def private_provider(app_provider: Any = None) -> TracerProvider:
    """A provider with the resource, sampler and id generator of the app's, or else of the environment, and no processor.

    Span limits are those of the environment (``OTEL_SPAN_*``, ``OTEL_ATTRIBUTE_*``).
    """
    theirs = app_sdk_provider(app_provider)
    if theirs is None:
        return TracerProvider(shutdown_on_exit=False)
    return TracerProvider(
        sampler=theirs.sampler,
        resource=theirs.resource,
        id_generator=theirs.id_generator,
        shutdown_on_exit=False,
    )


def app_sdk_provider(app_provider: Any = None) -> TracerProvider | None:
    """The app's tracer provider, given or global, if it is an SDK's."""
    provider = trace.get_tracer_provider() if app_provider is None else app_provider
    return provider if isinstance(provider, TracerProvider) else None


def resource_data(resource: Resource) -> ResourceData:
    """Attributes and schema URL of a resource."""
    return ResourceData(dict(resource.attributes), resource.schema_url)


def limits_of_environment() -> DataLimits:
    """The limits that the SDK reads from the environment (specification: SDK environment variables, Attribute and Span Limits)."""
    from opentelemetry.sdk._logs import LogRecordLimits

    spans, logs = SpanLimits(), LogRecordLimits()
    return DataLimits(
        attributes=spans.max_span_attributes,
        events=spans.max_events,
        links=spans.max_links,
        event_attributes=spans.max_event_attributes,
        link_attributes=spans.max_link_attributes,
        attribute_length=spans.max_span_attribute_length,
        log_attributes=logs.max_log_record_attributes,
        log_attribute_length=logs.max_log_record_attribute_length,
    )
