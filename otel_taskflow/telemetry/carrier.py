"""Between OpenTelemetry's contexts and what a task's row keeps: span identity and carrier."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from opentelemetry import baggage, propagate, trace
from opentelemetry.context import Context
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, TraceFlags, TraceState
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from otel_taskflow.model import SpanIdentity
from otel_taskflow.telemetry.guard import Mishaps, clean

_w3c = TraceContextTextMapPropagator()
_W3C_FIELDS = {"traceparent", "tracestate", "baggage"}
_trace_keys = frozenset({"traceparent", "tracestate"})


def identity_of(span_context: SpanContext, parent: SpanContext | None) -> SpanIdentity:
    """The ids of a span as they are journalled."""
    return SpanIdentity(
        trace_id=f"{span_context.trace_id:032x}",
        span_id=f"{span_context.span_id:016x}",
        parent_span_id=f"{parent.span_id:016x}" if parent is not None and parent.is_valid else None,
        trace_flags=int(span_context.trace_flags),
        trace_state=span_context.trace_state.to_header() if span_context.trace_state else "",
    )


def span_context_of(identity: SpanIdentity, *, is_remote: bool = False) -> SpanContext:
    """The way back. Raises ValueError for ids that are not hexadecimal."""
    return SpanContext(
        int(identity.trace_id, 16),
        int(identity.span_id, 16),
        is_remote,
        TraceFlags(identity.trace_flags),
        TraceState.from_header([identity.trace_state]) if identity.trace_state else None,
    )


def pack(context: Context, mishaps: Mishaps) -> dict[str, str]:
    """The carrier of a context: what the app's propagators write, and always a W3C ``traceparent``."""
    if not _carries_span_only(context, mishaps):
        return _written_by_the_app(context, mishaps)
    carrier: dict[str, str] = {}
    if context:
        _w3c.inject(carrier, context)
    return carrier


def _written_by_the_app(context: Context, mishaps: Mishaps) -> dict[str, str]:
    carrier: dict[str, str] = {}
    try:
        propagate.inject(carrier, context)
    except Exception as error:  # noqa: BLE001 - a propagator of the app may raise anything
        mishaps.note("write the carrier", error)
    if "traceparent" not in carrier:
        _w3c.inject(carrier, context)
    return {clean(key): clean(value) for key, value in carrier.items()} if carrier else carrier


def pack_with(span: Span, identity: SpanIdentity, context: Context, mishaps: Mishaps) -> dict[str, str]:
    """As ``pack``, with this span, whose ids these are, in the place of the context's own."""
    if not _carries_span_only(context, mishaps):
        return _written_by_the_app(trace.set_span_in_context(span, context), mishaps)
    carrier = {"traceparent": f"00-{identity.trace_id}-{identity.span_id}-{identity.trace_flags:02x}"}
    if identity.trace_state:
        carrier["tracestate"] = identity.trace_state
    return carrier


def _carries_span_only(context: Context, mishaps: Mishaps) -> bool:
    """Whether the app's propagators would write what W3C Trace Context does and nothing else."""
    try:
        return _is_default(propagate.get_global_textmap()) and not (context and baggage.get_all(context))
    except Exception as error:  # noqa: BLE001 - a propagator of the app may raise anything
        mishaps.note("ask the propagators", error)
        return False


def _is_default(propagator: TextMapPropagator) -> bool:
    """Whether it is the default one, which writes the span and the baggage and nothing else."""
    return type(propagator) is CompositePropagator and _fields_of(propagator) == _W3C_FIELDS


@lru_cache(maxsize=8)
def _fields_of(propagator: CompositePropagator) -> set[str]:
    return propagator.fields


def unpack(carrier: Mapping[str, str], mishaps: Mishaps) -> Context:
    """A fresh context with what the carrier holds (parent, baggage) and nothing else."""
    empty = Context()
    if not carrier:
        return empty
    context = _w3c.extract(carrier, context=empty)
    if has_only_trace(carrier):
        return context
    try:
        return propagate.extract(carrier, context=context)
    except Exception as error:  # noqa: BLE001 - a propagator of the app may raise anything
        mishaps.note("read the carrier", error)
        return context


def has_only_trace(carrier: Mapping[str, str]) -> bool:
    """Whether there is nothing in it but a span of W3C Trace Context."""
    return _trace_keys.issuperset(carrier)


def holds(carrier: Mapping[str, str], identity: SpanIdentity) -> bool:
    """Whether the carrier's span is this one: an SDK made it, it is no stand-in of ours."""
    return f"{identity.trace_id}-{identity.span_id}" in carrier.get("traceparent", "")


def with_span(context: Context, span_context: SpanContext) -> Context:
    """The context with a remote or ended span as the current one."""
    return trace.set_span_in_context(NonRecordingSpan(span_context), context)
