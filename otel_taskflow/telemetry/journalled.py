"""The live span of an attempt whose export comes from the journal: what user code does with it goes into the attempt's end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import Span, StatusCode

from otel_taskflow.events import AttemptEnded
from otel_taskflow.model import SpanIdentity
from otel_taskflow.ports import AttemptLogs
from otel_taskflow.telemetry import semconv
from otel_taskflow.telemetry.additions import Room, packed_attributes, packed_text, packed_time
from otel_taskflow.telemetry.attempt import MAX_EVENTS, LiveAttemptSpan
from otel_taskflow.telemetry.guard import Mishaps

_OURS = ("messaging.", "code.", f"{semconv.SCOPE}.")
"""What an attempt's span begins with; anything else came from a sampler."""


class JournalledAttemptSpan(LiveAttemptSpan):
    """A span of a provider without processors. It is current, recording and right for children; the SDK exports nothing of it."""

    __slots__ = ("_given", "_links", "_name", "_readable")

    def __init__(
        self, span: Span | None, identity: SpanIdentity, parent: Context, mishaps: Mishaps, max_events: int = MAX_EVENTS
    ) -> None:
        super().__init__(span, identity, parent, mishaps, max_events)
        self._given: Mapping[str, Any] = {}
        self._name, self._links = "", 0
        readable: Any = span
        self._readable = readable if isinstance(readable, ReadableSpan) else None
        if self._readable is not None:
            given = self._readable.attributes or {}
            self._given = {key: value for key, value in given.items() if key.startswith(_OURS)}
            self._name, self._links = self._readable.name, len(self._readable.links)

    def additions(self) -> Mapping[str, Any] | None:
        """Name, attributes, events, links and status that user code or the sampler gave the span, as JSON."""
        if self._readable is None:
            return None
        try:
            return self._read(self._readable) or None
        except Exception as error:  # noqa: BLE001 - an attempt must end, whatever user code put into its span
            self.mishaps.note("read a span", error)
            return None

    def _read(self, span: ReadableSpan) -> dict[str, Any]:
        room = Room()
        has = span.attributes or {}
        changed = [(key, value) for key, value in has.items() if self._given.get(key) != value]
        pushed_out = sum(key not in has for key in self._given)  # at the SDK's limit; the outbox has them anyway
        attributes = room.fitting(packed_attributes(dict(changed)).items())
        events = room.fitting(map(_event, span.events))
        added_links = span.links[self._links :]
        links = room.fitting(map(_link, added_links))
        found = {
            "name": packed_text(span.name) if span.name != self._name else None,
            "attributes": dict(attributes),
            "events": events,
            "links": links,
            "status": _status(span),
            "dropped": [
                span.dropped_attributes - pushed_out + len(changed) - len(attributes),
                span.dropped_events + len(span.events) - len(events),
                span.dropped_links + len(added_links) - len(links),
            ],
        }
        return {key: value for key, value in found.items() if value and any(value)}

    def end(self, ended: AttemptEnded, logs: AttemptLogs, exception: BaseException | None) -> None:
        """End the live span, which makes it read-only. Never raises."""
        if self.span is not None:
            try:
                self.span.end(ended.time)
            except Exception as error:  # noqa: BLE001 - the SDK may raise anything
                self.mishaps.note("end a span", error)


def _event(event: Any) -> list[Any]:
    return [packed_text(event.name), packed_time(event.timestamp), packed_attributes(event.attributes)]


def _link(link: Any) -> list[Any]:
    context = link.context
    return [
        f"{context.trace_id:032x}",
        f"{context.span_id:016x}",
        bool(context.is_remote),
        packed_attributes(link.attributes),
    ]


def _status(span: ReadableSpan) -> list[str] | None:
    status = span.status
    if status.status_code is StatusCode.UNSET:
        return None
    return [status.status_code.name.lower(), packed_text(status.description or "")]
