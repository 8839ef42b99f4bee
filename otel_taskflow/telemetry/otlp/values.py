"""What is exported, before it is encoded: spans and log records as plain values, which a ``before_export`` hook may change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from otel_taskflow.model import SpanIdentity

Attributes = Mapping[str, Any]
"""Texts, booleans, 64-bit integers, floats, bytes, and lists of one of these."""


_NONE: Attributes = MappingProxyType({})


class SpanEvent(NamedTuple):
    """An event of a span; ``time`` is Unix nanoseconds."""

    name: str
    time: int
    attributes: Attributes = _NONE


class SpanLink(NamedTuple):
    """A link to another span."""

    identity: SpanIdentity
    attributes: Attributes = _NONE
    is_remote: bool = False


@dataclass(frozen=True, slots=True)
class SpanData:
    """A span that has ended. Times are Unix nanoseconds."""

    name: str
    kind: Literal["producer", "consumer"]
    identity: SpanIdentity
    start_time: int
    end_time: int
    attributes: Attributes = field(default_factory=dict)
    events: Sequence[SpanEvent] = ()
    links: Sequence[SpanLink] = ()
    status: Literal["unset", "ok", "error"] = "unset"
    status_description: str = ""
    is_parent_remote: bool = False
    dropped_attributes: int = 0
    dropped_events: int = 0
    dropped_links: int = 0


@dataclass(frozen=True, slots=True)
class LogData:
    """A log record. Times are Unix nanoseconds; ``severity`` is the number of the OpenTelemetry data model."""

    time: int
    observed_time: int
    severity: int
    severity_text: str
    body: str
    attributes: Attributes = field(default_factory=dict)
    event_name: str = ""
    identity: SpanIdentity | None = None
    """The span it belongs to; None outside a trace."""
    dropped_attributes: int = 0


class DataLimits(NamedTuple):
    """The limits of the OpenTelemetry specification; None is no limit (common, Attribute Limits; trace SDK, Span Limits)."""

    attributes: int | None = 128
    events: int | None = 128
    links: int | None = 128
    event_attributes: int | None = 128
    link_attributes: int | None = 128
    attribute_length: int | None = None
    log_attributes: int | None = 128
    log_attribute_length: int | None = None
