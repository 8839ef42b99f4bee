"""The specification's limits, applied to what is exported. What is cut off is counted in the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from operator import is_
from typing import Any

from otel_taskflow.telemetry.ends import first_and_last
from otel_taskflow.telemetry.otlp.values import Attributes, DataLimits, LogData, SpanData, SpanEvent, SpanLink


def limited_span(span: SpanData, limits: DataLimits) -> SpanData:
    """The span within the limits: of its events the first half and the last, of everything else the first."""
    attributes, dropped_attributes = _limited(span.attributes, limits.attributes, limits.attribute_length)
    events = [_event(each, limits) for each in first_and_last(span.events, limits.events)]
    links = [_link(each, limits) for each in span.links[: limits.links]]
    if attributes is span.attributes and _are_same(events, span.events) and _are_same(links, span.links):
        return span
    return replace(
        span,
        attributes=attributes,
        events=events,
        links=links,
        dropped_attributes=span.dropped_attributes + dropped_attributes,
        dropped_events=span.dropped_events + len(span.events) - len(events),
        dropped_links=span.dropped_links + len(span.links) - len(links),
    )


def limited_log(log: LogData, limits: DataLimits) -> LogData:
    """The log record within the limits."""
    attributes, dropped = _limited(log.attributes, limits.log_attributes, limits.log_attribute_length)
    if attributes is log.attributes:
        return log
    return replace(log, attributes=attributes, dropped_attributes=log.dropped_attributes + dropped)


def _are_same(cut: Sequence[Any], whole: Sequence[Any]) -> bool:
    return len(cut) == len(whole) and all(map(is_, cut, whole))


def _event(event: SpanEvent, limits: DataLimits) -> SpanEvent:
    attributes, _ = _limited(event.attributes, limits.event_attributes, limits.attribute_length)
    return event if attributes is event.attributes else event._replace(attributes=attributes)


def _link(link: SpanLink, limits: DataLimits) -> SpanLink:
    attributes, _ = _limited(link.attributes, limits.link_attributes, limits.attribute_length)
    return link if attributes is link.attributes else link._replace(attributes=attributes)


def _limited(attributes: Attributes, count: int | None, length: int | None) -> tuple[Attributes, int]:
    if length is None and (count is None or len(attributes) <= count):
        return attributes, 0
    kept = dict(list(attributes.items())[:count])
    if length is not None:
        kept = {key: _cut(value, length) for key, value in kept.items()}
    return kept, len(attributes) - len(kept)


def _cut(value: Any, length: int) -> Any:
    if isinstance(value, str | bytes):
        return value[:length]
    return [_cut(each, length) for each in value] if isinstance(value, list | tuple) else value
