"""Ids of our own, for when nobody records: the dashboard always has a trace id to show."""

from __future__ import annotations

from otel_taskflow.model import SpanIdentity
from otel_taskflow.values.entropy import random_bytes

_NO_TRACE = "0" * 32
_NO_SPAN = "0" * 16


def new_trace_id() -> str:
    """32 random hexadecimal digits, not all zero."""
    drawn = random_bytes().hex()
    return drawn if drawn != _NO_TRACE else new_trace_id()


def new_span_id() -> str:
    """16 random hexadecimal digits, not all zero."""
    drawn = random_bytes().hex()[:16]
    return drawn if drawn != _NO_SPAN else new_span_id()


def root_identity() -> SpanIdentity:
    """The identity of a span without a parent."""
    return SpanIdentity(new_trace_id(), new_span_id())


def child_identity(parent: SpanIdentity | None) -> SpanIdentity:
    """The identity of a span under ``parent``, or of a root if there is none."""
    if parent is None or not parent.trace_id:
        return root_identity()
    return SpanIdentity(parent.trace_id, new_span_id(), parent.span_id, parent.trace_flags, parent.trace_state)
