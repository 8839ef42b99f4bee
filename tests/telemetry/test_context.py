"""What code inside a task finds in its context."""

from __future__ import annotations

import asyncio
import contextvars

import pytest
from opentelemetry import baggage, context, trace

from otel_taskflow.telemetry import OpenTelemetry
from tests.telemetry.parts import Recorder, end_of, enqueued, finish, run, started

tenant: contextvars.ContextVar[str] = contextvars.ContextVar("tenant", default="nobody")


def test_spans_of_a_sync_task_are_children_of_the_attempt(recorder: Recorder, telemetry: OpenTelemetry) -> None:
    def body() -> None:
        with recorder.tracer.start_as_current_span("render"):
            pass

    identity = run(telemetry, enqueued(telemetry), body=body)
    parent = recorder.span("render").parent
    assert parent is not None
    assert f"{parent.span_id:016x}" == identity.span_id


@pytest.mark.anyio
async def test_spans_of_an_async_task_and_of_its_children_are_children_of_the_attempt(
    recorder: Recorder, telemetry: OpenTelemetry
) -> None:
    async def step(name: str) -> None:
        with recorder.tracer.start_as_current_span(name):
            await asyncio.sleep(0)

    async def work() -> None:
        await asyncio.gather(step("one"), step("two"))

    task = enqueued(telemetry)
    span = started(telemetry, task)
    inside = contextvars.copy_context()
    inside.run(span.activate)
    await inside.run(asyncio.ensure_future, work())
    finish(telemetry, task, span, end_of(task))
    parents = [recorder.span(name).parent for name in ("one", "two")]
    assert [f"{parent.span_id:016x}" for parent in parents if parent] == [span.identity.span_id] * 2


def test_of_the_requests_opentelemetry_context_only_baggage_goes_on(
    recorder: Recorder, telemetry: OpenTelemetry
) -> None:
    key = context.create_key("framework.request")
    seen: dict[str, object] = {}

    def body() -> None:
        seen["request"] = context.get_value(key)
        seen["user"] = baggage.get_baggage("user")
        seen["tenant"] = tenant.get()

    def request() -> None:
        tenant.set("north")
        context.attach(context.set_value(key, "request state"))
        context.attach(baggage.set_baggage("user", "ann"))
        with recorder.tracer.start_as_current_span("POST /orders"):
            task = enqueued(telemetry)
            run(telemetry, task, body=body)

    contextvars.copy_context().run(request)
    assert seen == {"request": None, "user": "ann", "tenant": "north"}


def test_in_link_mode_baggage_flows_and_the_requests_span_does_not(recorder: Recorder) -> None:
    telemetry = OpenTelemetry(recorder.tracer_provider, recorder.meter_provider, trace_mode="link")
    seen: list[object] = []

    def request() -> None:
        context.attach(baggage.set_baggage("user", "ann"))
        with recorder.tracer.start_as_current_span("POST /orders"):
            run(telemetry, enqueued(telemetry), body=lambda: seen.append(baggage.get_baggage("user")))

    contextvars.copy_context().run(request)
    assert seen == ["ann"]
    assert recorder.span("process send_email").parent is None


def test_baggage_that_cannot_be_written_costs_neither_the_span_nor_the_parent(
    recorder: Recorder, telemetry: OpenTelemetry
) -> None:
    def request() -> None:
        context.attach(baggage.set_baggage("user", "\ud800"))
        run(telemetry, enqueued(telemetry))

    contextvars.copy_context().run(request)
    assert recorder.span("process send_email").parent is not None


def test_tracestate_reaches_the_attempt(recorder: Recorder, telemetry: OpenTelemetry) -> None:
    incoming = trace.SpanContext(
        0x0AF7651916CD43DD8448EB211C80319C,
        0xB7AD6B7169203331,
        is_remote=True,
        trace_flags=trace.TraceFlags(1),
        trace_state=trace.TraceState([("vendor", "x1")]),
    )
    with trace.use_span(trace.NonRecordingSpan(incoming)):
        task = enqueued(telemetry)
    identity = run(telemetry, task)
    assert identity.trace_state == "vendor=x1"
    assert recorder.span("process send_email").get_span_context().trace_state["vendor"] == "x1"


def test_activating_in_one_context_leaves_the_callers_alone(telemetry: OpenTelemetry) -> None:
    span = started(telemetry, enqueued(telemetry))
    contextvars.copy_context().run(span.activate)
    assert not trace.get_current_span().get_span_context().is_valid
