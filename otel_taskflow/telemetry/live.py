"""Spans and metrics of tasks through the app's providers. Only the OpenTelemetry API: what it records is the app's choice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import monotonic_ns
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanContext, SpanKind

from otel_taskflow.events import AttemptEnded, AttemptStarted
from otel_taskflow.model import SpanIdentity, TaskRow
from otel_taskflow.ports import AttemptSpan, EnqueueSpan, Watched
from otel_taskflow.telemetry import semconv
from otel_taskflow.telemetry.attempt import MAX_EVENTS, LiveAttemptSpan, event_limit
from otel_taskflow.telemetry.carrier import has_only_trace, holds, identity_of, pack, pack_with, span_context_of, unpack
from otel_taskflow.telemetry.describe import attempt_attributes, enqueue_attributes
from otel_taskflow.telemetry.guard import Mishaps, clean
from otel_taskflow.telemetry.ids import child_identity
from otel_taskflow.telemetry.metrics import Metrics
from otel_taskflow.version import __version__

ASK_EVERY = 50_000_000
"""Nanoseconds between two looks for a global provider while there is none: each costs as much as a journal record."""


class OpenTelemetry:
    """Implements ``ports.Telemetry`` with the providers given, or else the global ones, looked up at first use.

    Without an SDK, with ``OTEL_SDK_DISABLED``, or when a provider raises, spans have ids of our own, so that every task and
    attempt has a trace id to show.

    Args:
        tracer_provider: Makes the spans. Never configured, flushed or shut down here.
        meter_provider: Makes the metrics. Likewise.
        trace_mode: ``child``: attempts are children of the enqueue span, in the request's trace. ``link``: each attempt is a
            root of its own, linked to it.
        is_journalled: Spans are exported from the journal; the provider's are live ones without a processor.
    """

    def __init__(
        self,
        tracer_provider: Any = None,
        meter_provider: Any = None,
        *,
        trace_mode: str = "child",
        is_journalled: bool = False,
    ) -> None:
        self._tracer_provider = tracer_provider
        self._tracer: trace.Tracer | None = None
        self._is_heard = tracer_provider is not None
        self._ask_again_at = 0
        self._max_events = MAX_EVENTS
        self._is_child = trace_mode != "link"
        self._attempt_span = _journalled_span() if is_journalled else LiveAttemptSpan
        self.mishaps = Mishaps()
        self._metrics = Metrics(meter_provider, self.mishaps)

    # Spans

    def enqueue(self, task_id: str, definition_name: str, code_name: str, tags: Mapping[str, str]) -> EnqueueSpan:
        """Start and end ``send {task}`` (PRODUCER) under the current span."""
        self._metrics.sent(definition_name)
        context = otel_context.get_current()
        parent = trace.get_current_span(context).get_span_context()
        if self._is_unheard:
            return self._stand_in(parent, context)
        span = self._start(
            f"{semconv.SEND} {clean(definition_name)}",
            SpanKind.PRODUCER,
            context,
            parent,
            attributes=lambda: enqueue_attributes(task_id, definition_name, code_name, tags),
        )
        if span is None:
            return self._stand_in(parent, context)
        identity = identity_of(span.get_span_context(), parent)
        carrier = pack_with(span, identity, context, self.mishaps)
        self._finish(span)
        return EnqueueSpan(identity, carrier)

    def _stand_in(self, parent: SpanContext, context: Context) -> EnqueueSpan:
        """Nobody records: an id of ours for the row; what flows on is the request's own context."""
        identity = child_identity(identity_of(parent, None) if parent.is_valid else None)
        return EnqueueSpan(identity, pack(context, self.mishaps))

    def _finish(self, span: Span) -> None:
        try:
            span.end()
        except Exception as error:  # noqa: BLE001 - a span processor of the app may raise anything
            self.mishaps.note("end a span", error)

    def start_attempt(self, task: TaskRow, started: AttemptStarted) -> AttemptSpan:
        """Start ``process {task}`` (CONSUMER) in a context that holds only its parent and the carrier's baggage."""
        enqueued = self._enqueued(task)
        context = self._parent_context(task.carrier, enqueued)
        if not self._is_unheard:
            parent = trace.get_current_span(context).get_span_context()
            span = self._start(
                f"{semconv.PROCESS} {clean(task.name)}",
                SpanKind.CONSUMER,
                context,
                parent,
                attributes=lambda: attempt_attributes(task, started),
                links=_links(enqueued, started.previous),
                start_time=started.time,
            )
            if span is not None:
                identity = identity_of(span.get_span_context(), parent)
                return self._attempt_span(span, identity, context, self.mishaps, self._max_events)
        identity = child_identity(task.span if self._is_child else None)
        return self._attempt_span(None, identity, context, self.mishaps)

    def _enqueued(self, task: TaskRow) -> SpanContext | None:
        """The enqueue span, if an SDK made one. It is remote for a task of another process: only those have an owner."""
        if task.span is None or not holds(task.carrier, task.span):
            return None
        return span_context_of(task.span, is_remote=task.owner is not None)

    def _parent_context(self, carrier: Mapping[str, str], enqueued: SpanContext | None) -> Context:
        # The span that the carrier names is the enqueue span, which takes its place below: reading it costs 10 us.
        carried = Context() if enqueued is not None and has_only_trace(carrier) else unpack(carrier, self.mishaps)
        if not self._is_child:
            return trace.set_span_in_context(trace.INVALID_SPAN, carried)
        if enqueued is None:
            return carried
        return trace.set_span_in_context(trace.NonRecordingSpan(enqueued), carried)

    @property
    def _is_unheard(self) -> bool:
        """Whether there is no provider, not even a global one; the app may set that at any time, and then for good."""
        if self._is_heard:
            return False
        now = monotonic_ns()
        if now >= self._ask_again_at:
            self._ask_again_at = now + ASK_EVERY
            self._is_heard = not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
        return not self._is_heard

    def _start(
        self, name: str, kind: SpanKind, context: Context, parent: SpanContext, *, attributes: Any, **more: Any
    ) -> Span | None:
        """A span that has ids of its own, not those of the context's; None if nobody makes any."""
        try:
            span = self._get_tracer().start_span(
                name,
                context,
                kind,
                attributes(),
                record_exception=False,
                set_status_on_exception=False,
                **more,
            )
            made = span.get_span_context()
            return span if made.is_valid and made.span_id != parent.span_id else None
        except Exception as error:  # noqa: BLE001 - a provider, sampler or span processor of the app may raise anything
            self.mishaps.note("start a span", error)
            return None

    def _get_tracer(self) -> trace.Tracer:
        if self._tracer is None:
            self._max_events = event_limit()
            self._tracer = trace.get_tracer(
                semconv.SCOPE, __version__, self._tracer_provider, schema_url=semconv.SCHEMA_URL
            )
        return self._tracer

    # Metrics

    def attempt_started(self, name: str) -> None:
        """Count an attempt as consumed and active."""
        self._metrics.started(name)

    def attempt_ended(self, name: str, ended: AttemptEnded, span: AttemptSpan, queue_wait: int) -> None:
        """Record its duration with the span as exemplar."""
        context = span.context if isinstance(span, LiveAttemptSpan) else Context()
        self._metrics.ended(name, ended, queue_wait, context)

    def watch(self, figures: Watched) -> Callable[[], None]:
        """Report these figures until the returned function is called."""
        return self._metrics.watch(figures)


def _journalled_span() -> type[LiveAttemptSpan]:
    """Needs the SDK, which an app without it should not have to load."""
    from otel_taskflow.telemetry.journalled import JournalledAttemptSpan

    return JournalledAttemptSpan


def _links(enqueued: SpanContext | None, previous: SpanIdentity | None) -> list[Link]:
    links = []
    if enqueued is not None:
        links.append(Link(enqueued, {semconv.LINK_TYPE: semconv.LINK_ENQUEUE}))
    if previous is not None and previous.trace_id:
        links.append(Link(span_context_of(previous), {semconv.LINK_TYPE: semconv.LINK_PREVIOUS_ATTEMPT}))
    return links
