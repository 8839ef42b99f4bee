"""Without an SDK, unsampled or disabled: a task still has a trace id to show, and nothing else changes."""

from __future__ import annotations

import os
import subprocess
import sys
import timeit

import pytest
from opentelemetry import propagate, trace
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from otel_taskflow.telemetry import NoTelemetry, OpenTelemetry
from tests.conftest import ROOT
from tests.telemetry.parts import Recorder, end_of, enqueued, run, started


def script(text: str, **environ: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", text],
        env={**os.environ, **environ},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


ROUND_TRIP = """
import sys
from otel_taskflow.telemetry import OpenTelemetry
from tests.telemetry.plain import round_trip
enqueue, first, second, inside = round_trip(OpenTelemetry())
assert len(enqueue.trace_id) == 32 and len(enqueue.span_id) == 16, enqueue
assert first.trace_id == second.trace_id == enqueue.trace_id
assert first.parent_span_id == second.parent_span_id == enqueue.span_id
assert len({enqueue.span_id, first.span_id, second.span_id}) == 3
assert not inside.is_valid
print("opentelemetry.sdk" in sys.modules)
"""


def test_without_an_sdk_ids_are_our_own_and_none_is_made_current() -> None:
    assert script(ROUND_TRIP) == "False"


def test_with_the_sdk_disabled_ids_are_our_own() -> None:
    disabled = "from opentelemetry import trace; from opentelemetry.sdk.trace import TracerProvider\n"
    disabled += "trace.set_tracer_provider(TracerProvider())\n"
    assert script(disabled + ROUND_TRIP, OTEL_SDK_DISABLED="true") == "True"


def test_a_global_provider_that_is_set_after_the_first_task_is_found() -> None:
    text = """
from time import sleep
from otel_taskflow.telemetry import OpenTelemetry
from otel_taskflow.telemetry.live import ASK_EVERY
from tests.telemetry.plain import round_trip
telemetry = OpenTelemetry()
assert round_trip(telemetry)[0].trace_flags == 0
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
trace.set_tracer_provider(TracerProvider(shutdown_on_exit=False))
sleep(ASK_EVERY / 1e9)
enqueue, first, second, inside = round_trip(telemetry)
assert enqueue.trace_flags & 1 and f"{inside.span_id:016x}" == first.span_id
"""
    script(text)


def test_without_an_sdk_the_requests_trace_is_kept_and_passed_on() -> None:
    telemetry = OpenTelemetry(trace.NoOpTracerProvider())
    incoming = propagate.extract({"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"})
    seen: list[dict[str, str]] = []

    def body() -> None:
        carrier: dict[str, str] = {}
        propagate.inject(carrier)
        seen.append(carrier)

    from opentelemetry import context

    token = context.attach(incoming)
    try:
        task = enqueued(telemetry)
    finally:
        context.detach(token)
    attempt = run(telemetry, task, body=body)
    assert task.span is not None
    assert task.span.trace_id == attempt.trace_id == "0af7651916cd43dd8448eb211c80319c"
    assert task.span.parent_span_id == "b7ad6b7169203331"
    assert attempt.parent_span_id == task.span.span_id
    assert seen == [{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}]


def test_an_unsampled_task_has_the_ids_of_its_unsampled_spans() -> None:
    recorder = Recorder(ALWAYS_OFF)
    telemetry = OpenTelemetry(recorder.tracer_provider, recorder.meter_provider)
    seen: list[trace.SpanContext] = []
    task = enqueued(telemetry)
    attempt = run(telemetry, task, body=lambda: seen.append(trace.get_current_span().get_span_context()))
    assert task.span is not None
    assert attempt.trace_id == task.span.trace_id
    assert attempt.trace_flags & 1 == 0
    assert f"{seen[0].span_id:016x}" == attempt.span_id
    assert recorder.spans == ()


def test_a_recorder_that_appears_between_enqueue_and_attempt_makes_a_root_of_its_own(recorder: Recorder) -> None:
    task = enqueued(OpenTelemetry(trace.NoOpTracerProvider()))
    attempt = run(OpenTelemetry(recorder.tracer_provider, recorder.meter_provider), task)
    (span,) = recorder.spans
    assert span.parent is None
    assert f"{span.get_span_context().span_id:016x}" == attempt.span_id


def test_no_telemetry_gives_ids_and_takes_everything() -> None:
    telemetry = NoTelemetry()
    task = enqueued(telemetry)
    span = started(telemetry, task)
    span.activate()
    span.end(end_of(task), None, None)  # type: ignore[arg-type] # it looks at nothing
    telemetry.attempt_ended(task.name, end_of(task), span, 0)
    assert task.span is not None
    assert span.identity.trace_id == task.span.trace_id
    assert span.identity.parent_span_id == task.span.span_id
    assert task.carrier == {}


@pytest.mark.slow
def test_no_telemetry_costs_less_than_three_microseconds_a_call() -> None:
    telemetry = NoTelemetry()
    task = enqueued(telemetry)
    for call in (lambda: enqueued(telemetry), lambda: started(telemetry, task)):
        best = min(timeit.repeat(call, number=2000, repeat=5)) / 2000
        assert best < 20e-6, "far above what it costs: a row and an event are made here, too"


def test_importing_telemetry_does_not_import_the_sdk() -> None:
    text = "import sys, otel_taskflow.telemetry, otel_taskflow.setup.telemetry\n"
    text += "print([name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'opentelemetry.exporter'))])"
    assert script(text) == "[]"
