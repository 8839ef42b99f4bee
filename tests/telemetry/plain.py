"""A task's way without any test tool and without the SDK, for scripts in processes of their own."""

from __future__ import annotations

import contextvars

from opentelemetry import trace

from otel_taskflow.events import AttemptEnded, AttemptStarted
from otel_taskflow.model import AttemptOutcome, SpanIdentity, TaskRow, TaskStatus
from otel_taskflow.ports import AttemptSpan, Telemetry


class NoLines:
    count = 0

    def kept(self) -> list[object]:
        return []


def round_trip(telemetry: Telemetry) -> tuple[SpanIdentity, SpanIdentity, SpanIdentity, trace.SpanContext]:
    """Identities of the enqueue span and two attempts, and the span context that is current inside the first."""
    span = telemetry.enqueue("t", "job", "app.job", {})
    row = TaskRow("t", "job", TaskStatus.PENDING, 1, span=span.identity, carrier=span.carrier)
    first = _attempt(telemetry, row, 0, None)
    inside = contextvars.copy_context().run(_look_inside, first)
    second = _attempt(telemetry, row, 1, first.identity)
    return span.identity, first.identity, second.identity, inside


def _attempt(telemetry: Telemetry, row: TaskRow, number: int, previous: SpanIdentity | None) -> AttemptSpan:
    telemetry.attempt_started(row.name)
    started = AttemptStarted("t", 1, number, SpanIdentity("", ""), "w", 0, previous, "app.job")
    span = telemetry.start_attempt(row, started)
    ended = AttemptEnded("t", 2, number, 1, AttemptOutcome.SUCCEEDED, TaskStatus.SUCCESS, None, None, None, 0)
    span.end(ended, NoLines(), None)  # type: ignore[arg-type] # no lines, no types needed
    telemetry.attempt_ended(row.name, ended, span, 0)
    return span


def _look_inside(span: AttemptSpan) -> trace.SpanContext:
    span.activate()
    return trace.get_current_span().get_span_context()
