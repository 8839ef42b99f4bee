"""The carrier of a task: what the app's propagators write, whatever kind of object they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from opentelemetry import baggage, propagate
from opentelemetry.context import Context
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.trace import NonRecordingSpan, set_span_in_context

from otel_taskflow.model import SpanIdentity
from otel_taskflow.telemetry.carrier import holds, pack, pack_with, span_context_of, with_span
from otel_taskflow.telemetry.guard import Mishaps

TRACEPARENT = f"00-{'1' * 32}-{'2' * 16}-01"
CONTEXT = with_span(Context(), span_context_of(SpanIdentity("1" * 32, "2" * 16, None, 1)))


@dataclass
class Unhashable(TextMapPropagator):
    """Compared by value, so that it has no hash; ``fails``: what it says of itself raises."""

    fails: bool = False

    def extract(self, carrier: Any, context: Context | None = None, getter: Any = None) -> Context:
        return context or Context()

    def inject(self, carrier: Any, context: Context | None = None, setter: Any = None) -> None:
        carrier["tenant"] = "a"

    @property
    def fields(self) -> set[str]:
        if self.fails:
            raise RuntimeError("fields")
        return {"tenant"}


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    before = propagate.get_global_textmap()
    yield
    propagate.set_global_textmap(before)


def test_the_default_propagators_write_the_span_and_the_baggage_there_is() -> None:
    assert pack(Context(), Mishaps()) == {}
    assert pack(CONTEXT, Mishaps()) == {"traceparent": TRACEPARENT}
    with_baggage = baggage.set_baggage("tenant", "a", CONTEXT)
    assert pack(with_baggage, Mishaps()) == {"traceparent": TRACEPARENT, "baggage": "tenant=a"}


@pytest.mark.parametrize("is_composite", [False, True])
def test_a_propagator_of_the_app_writes_too(is_composite: bool) -> None:
    own = Unhashable()
    propagate.set_global_textmap(CompositePropagator([own]) if is_composite else own)
    assert pack(Context(), Mishaps()) == {"tenant": "a"}
    assert pack(CONTEXT, Mishaps()) == {"tenant": "a", "traceparent": TRACEPARENT}


def test_a_propagator_that_cannot_say_what_it_writes_is_used_all_the_same() -> None:
    propagate.set_global_textmap(CompositePropagator([Unhashable(fails=True)]))
    mishaps = Mishaps()
    assert pack(CONTEXT, mishaps) == {"tenant": "a", "traceparent": TRACEPARENT}
    assert mishaps.counts.total() == 1


class Broken(Unhashable):
    def inject(self, carrier: Any, context: Context | None = None, setter: Any = None) -> None:
        raise RuntimeError("inject")


def test_a_propagator_that_fails_costs_its_part_only() -> None:
    propagate.set_global_textmap(CompositePropagator([Broken()]))
    mishaps = Mishaps()
    assert pack(CONTEXT, mishaps) == {"traceparent": TRACEPARENT}
    assert mishaps.counts.total() == 1


@pytest.mark.parametrize("own", [None, Unhashable(), Broken(), Unhashable(fails=True)])
@pytest.mark.parametrize("context", [Context(), CONTEXT, baggage.set_baggage("tenant", "b", CONTEXT)])
@pytest.mark.parametrize("state", ["", "vendor=1,other=2"])
def test_with_a_span_in_hand_the_carrier_is_that_of_the_context_that_has_it(
    own: TextMapPropagator | None, context: Context, state: str
) -> None:
    if own is not None:
        propagate.set_global_textmap(CompositePropagator([own]))
    identity = SpanIdentity("3" * 32, "4" * 16, None, 3, state)
    span = NonRecordingSpan(span_context_of(identity))
    carrier = pack_with(span, identity, context, Mishaps())
    assert carrier == pack(set_span_in_context(span, context), Mishaps())
    assert holds(carrier, identity)
