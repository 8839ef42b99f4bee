"""Spans and log records as messages: one for each destination that wants it, encoded once for all that want the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from otel_taskflow.consumers.outbox_routes import Route
from otel_taskflow.spool import Message, Source
from otel_taskflow.telemetry.otlp.encode import encode_log, encode_span
from otel_taskflow.telemetry.otlp.limits import limited_log, limited_span
from otel_taskflow.telemetry.otlp.values import DataLimits, LogData, SpanData

SpanFor = Callable[[Route], SpanData]
"""The span as a destination gets it."""


class Messages:
    """Those of one slice; ``dropped`` counts by (destination, signal, reason) what was left out."""

    def __init__(self, routes: Sequence[Route], limits: DataLimits) -> None:
        self._routes = routes
        self._limits = limits
        self.all: list[Message] = []
        self.dropped: Counter[tuple[str, str, str]] = Counter()

    def drop(self, route: Route, signal: str, reason: str) -> None:
        """Count something that does not go to a destination."""
        self.dropped[route.name, signal, reason] += 1

    def add_log(
        self, data: LogData, source: Source, key: str | None = None, routes: Sequence[Route] | None = None
    ) -> None:
        """A log record, for all or for these; ``key``: of the attempt whose end decides, where that is asked for."""
        data = limited_log(data, self._limits)
        encoded: bytes | None = None
        for route in self._routes if routes is None else routes:
            if not route.wants_logs:
                continue
            if route.hook is not None:
                body = self._hooked(route, "logs", data, encode_log)
            else:
                body = encoded = encode_log(data) if encoded is None else encoded
            if body is not None:
                held_for = key if route.decides_late else None
                self.all.append(Message(route.name, "logs", source, body, data.time, held_for))

    def add_span(self, source: Source, time: int, span_for: SpanFor) -> None:
        """A span, which may have other events for another destination: for all of them, or for none if it raises.

        Raises what ``span_for`` raises, and ValueError, TypeError, LookupError or AttributeError for what cannot be encoded.
        """
        spans = [(route, span_for(route)) for route in self._routes if route.wants_spans]
        encoded: dict[int, bytes] = {}
        for route, span in spans:
            if route.hook is None and id(span) not in encoded:
                encoded[id(span)] = encode_span(limited_span(span, self._limits))
        # Hooks come after all that may raise: what one of them has seen is seen and counted once.
        for route, span in spans:
            if route.hook is None:
                body: bytes | None = encoded[id(span)]
            else:
                body = self._hooked(route, "traces", limited_span(span, self._limits), encode_span)
            if body is not None:
                self.all.append(Message(route.name, "traces", source, body, time))

    def _hooked(self, route: Route, signal: str, data: Any, encode: Callable[[Any], bytes]) -> bytes | None:
        """What ``before_export`` makes of it. Where the hook fails nothing goes out: it may be there to hide something."""
        assert route.hook is not None
        try:
            changed = route.hook(data)
            if changed is not None:
                return encode(changed)
            self.drop(route, signal, "before_export")
        except Exception as error:  # noqa: BLE001 - as above, and what it gave back may be nothing that can be encoded
            self.drop(route, signal, "before_export_failed")
            route.warn_once("before_export= of %s failed; nothing goes out where it does", error)
        return None
