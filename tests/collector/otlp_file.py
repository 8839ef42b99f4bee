"""Reads what the collector's file exporter wrote: OTLP/JSON, one document a line."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Attributes = Mapping[str, Any]

KINDS = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
STATUSES = ("UNSET", "OK", "ERROR")


@dataclass(frozen=True)
class SpanEvent:
    """One event of a span; ``time`` is Unix nanoseconds."""

    name: str
    time: int
    attributes: Attributes


@dataclass(frozen=True)
class SpanLink:
    """A span's link to another one; ids are lower-case hex."""

    trace_id: str
    span_id: str
    attributes: Attributes


@dataclass(frozen=True)
class Span:
    """A span as the collector received it; times are Unix nanoseconds, ids lower-case hex."""

    trace_id: str
    span_id: str
    parent_span_id: str | None
    name: str
    kind: str
    start_time: int
    end_time: int
    status: str
    status_description: str
    attributes: Attributes
    events: tuple[SpanEvent, ...] = ()
    links: tuple[SpanLink, ...] = ()
    trace_flags: int = 0
    trace_state: str = ""
    dropped_events: int = 0
    resource: Attributes = field(default_factory=dict)
    scope: str = ""
    scope_version: str = ""

    def events_named(self, name: str) -> tuple[SpanEvent, ...]:
        return tuple(event for event in self.events if event.name == name)


@dataclass(frozen=True)
class LogRecord:
    """A log record as the collector received it; times are Unix nanoseconds, ids None outside a trace."""

    time: int
    observed_time: int
    severity_number: int
    severity_text: str
    body: Any
    event_name: str
    attributes: Attributes
    trace_id: str | None
    span_id: str | None
    trace_flags: int = 0
    resource: Attributes = field(default_factory=dict)
    scope: str = ""
    scope_version: str = ""


def spans(path: Path) -> list[Span]:
    """All spans in the file, in the order in which they arrived."""
    return [_span(item, around) for item, around in _items(path, "resourceSpans", "scopeSpans", "spans")]


def log_records(path: Path) -> list[LogRecord]:
    """All log records in the file, in the order in which they arrived."""
    return [_log_record(item, around) for item, around in _items(path, "resourceLogs", "scopeLogs", "logRecords")]


def documents(path: Path) -> Iterator[dict[str, Any]]:
    """What was written so far; a line that is not complete yet is left out."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    yield from map(json.loads, text[: text.rfind("\n") + 1].splitlines())


def attributes(pairs: list[dict[str, Any]] | None) -> Attributes:
    """OTLP/JSON key-value pairs as a dict of plain Python values."""
    return {pair["key"]: value(pair.get("value")) for pair in pairs or ()}


def value(encoded: dict[str, Any] | None) -> Any:
    """One OTLP/JSON value as a plain Python value; what was sent empty is None."""
    if not encoded:
        return None
    ((kind, content),) = encoded.items()
    return DECODERS[kind](content)


DECODERS: Mapping[str, Callable[[Any], Any]] = {
    "stringValue": str,
    "boolValue": bool,
    "intValue": int,
    "doubleValue": float,
    "bytesValue": base64.b64decode,
    "arrayValue": lambda content: [value(each) for each in content.get("values", ())],
    "kvlistValue": lambda content: attributes(content.get("values")),
}


def _items(path: Path, resources: str, scopes: str, items: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Each span or log record of the file, with the resource and scope that stood around it."""
    for document in documents(path):
        for of_resource in document.get(resources, ()):
            resource = attributes(of_resource.get("resource", {}).get("attributes"))
            for of_scope in of_resource.get(scopes, ()):
                scope = of_scope.get("scope", {})
                around = {
                    "resource": resource,
                    "scope": scope.get("name", ""),
                    "scope_version": scope.get("version", ""),
                }
                for item in of_scope.get(items, ()):
                    yield item, around


def _span(item: dict[str, Any], around: dict[str, Any]) -> Span:
    status = item.get("status", {})
    return Span(
        trace_id=item["traceId"],
        span_id=item["spanId"],
        parent_span_id=item.get("parentSpanId") or None,
        name=item["name"],
        kind=KINDS[item.get("kind", 0)],
        start_time=int(item["startTimeUnixNano"]),
        end_time=int(item["endTimeUnixNano"]),
        status=STATUSES[status.get("code", 0)],
        status_description=status.get("message", ""),
        attributes=attributes(item.get("attributes")),
        events=tuple(_span_event(event) for event in item.get("events", ())),
        links=tuple(_span_link(link) for link in item.get("links", ())),
        # The bits above the first eight say whether the parent was remote.
        trace_flags=item.get("flags", 0) & 0xFF,
        trace_state=item.get("traceState", ""),
        dropped_events=item.get("droppedEventsCount", 0),
        **around,
    )


def _span_event(event: dict[str, Any]) -> SpanEvent:
    return SpanEvent(event.get("name", ""), int(event["timeUnixNano"]), attributes(event.get("attributes")))


def _span_link(link: dict[str, Any]) -> SpanLink:
    return SpanLink(link["traceId"], link["spanId"], attributes(link.get("attributes")))


def _log_record(item: dict[str, Any], around: dict[str, Any]) -> LogRecord:
    return LogRecord(
        time=int(item.get("timeUnixNano", 0)),
        observed_time=int(item.get("observedTimeUnixNano", 0)),
        severity_number=item.get("severityNumber", 0),
        severity_text=item.get("severityText", ""),
        body=value(item.get("body")),
        event_name=item.get("eventName", ""),
        attributes=attributes(item.get("attributes")),
        trace_id=item.get("traceId") or None,
        span_id=item.get("spanId") or None,
        trace_flags=item.get("flags", 0) & 0xFF,
        **around,
    )
