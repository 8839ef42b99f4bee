"""The span of a running attempt."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, Status, StatusCode

from otel_taskflow.events import AttemptEnded
from otel_taskflow.model import SpanIdentity
from otel_taskflow.ports import AttemptLogs
from otel_taskflow.telemetry import semconv
from otel_taskflow.telemetry.carrier import pack
from otel_taskflow.telemetry.describe import (
    end_attributes,
    error_description,
    error_type,
    exception_attributes,
    log_event_attributes,
)
from otel_taskflow.telemetry.ends import first_and_last
from otel_taskflow.telemetry.guard import Mishaps

MAX_EVENTS = 128
"""An SDK keeps the last 128 events of a span by default, and drops the ones before without a word."""
LIMIT_VARIABLE = "OTEL_SPAN_EVENT_COUNT_LIMIT"

Line = tuple[int, str, str, Mapping[str, Any]]


def event_limit(environ: Mapping[str, str] = os.environ) -> int:
    """How many events a span keeps, as an SDK reads it: nothing after the ``=`` is no limit."""
    text = environ.get(LIMIT_VARIABLE, str(MAX_EVENTS)).strip()
    if not text:
        return sys.maxsize
    return int(text) if text.isdecimal() else MAX_EVENTS


class LiveAttemptSpan:
    """An ``AttemptSpan``. ``span`` is None when nobody records: then only the parent's context is passed on.

    An id of our own is not made current: instrumentations would send it on as unsampled, and services behind would drop
    their traces.
    """

    __slots__ = ("_max_events", "context", "identity", "mishaps", "span")

    def __init__(
        self, span: Span | None, identity: SpanIdentity, parent: Context, mishaps: Mishaps, max_events: int = MAX_EVENTS
    ) -> None:
        self.span = span
        self.mishaps = mishaps
        self._max_events = max_events
        self.identity = identity
        self.context = parent if span is None else trace.set_span_in_context(span, parent)
        """What is current while the attempt runs."""

    def activate(self) -> None:
        """Replace the OpenTelemetry context of the calling contextvars context."""
        otel_context.attach(self.context)

    def carrier(self) -> Mapping[str, str]:
        """The context as the app's propagators write it."""
        return pack(self.context, self.mishaps)

    def additions(self) -> Mapping[str, Any] | None:
        """None: the span's own SDK exports it with everything that user code did."""
        return None

    def end(self, ended: AttemptEnded, logs: AttemptLogs, exception: BaseException | None) -> None:
        """Events, attributes, status, end; never raises."""
        span = self.span
        if span is None:
            return
        try:
            if span.is_recording():
                _describe_end(span, ended, logs, self._max_events)
        except Exception as error:  # noqa: BLE001 - an SDK's span may raise anything
            self.mishaps.note("describe a span", error)
        try:
            span.end(ended.time)
        except Exception as error:  # noqa: BLE001 - a span processor of the app may raise anything
            self.mishaps.note("end a span", error)


def _describe_end(span: Span, ended: AttemptEnded, logs: AttemptLogs, max_events: int) -> None:
    kept = first_and_last(logs.kept(), _room(span, ended, max_events))
    span.set_attributes(end_attributes(ended, max(0, ended.log_count - len(kept))))
    for time, level, message, extra in kept:
        span.add_event(semconv.EVENT_TASK_LOG, log_event_attributes(level, message, extra), time)
    if ended.error is not None:
        span.add_event(semconv.EVENT_EXCEPTION, exception_attributes(ended.error), ended.time)
    if error_type(ended) is not None:
        span.set_status(Status(StatusCode.ERROR, error_description(ended)))


def _room(span: Span, ended: AttemptEnded, max_events: int) -> int:
    """How many log lines fit beside the events that user code added and the exception."""
    theirs = len(getattr(span, "events", ()))
    return max(0, max_events - theirs - (ended.error is not None))
