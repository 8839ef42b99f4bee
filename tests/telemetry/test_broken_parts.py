"""Whatever providers, samplers, processors and propagators do, no method raises, and the task has its ids."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from opentelemetry import propagate
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import Sampler

from otel_taskflow.events import AttemptStarted, TaskEnqueued, TaskLogged
from otel_taskflow.model import AttemptOutcome
from otel_taskflow.ports import JournalHeader, JournalSlice
from otel_taskflow.telemetry import LogRecordConsumer, OpenTelemetry
from tests.telemetry.parts import FAILURE, T0, Lines, Recorder, enqueued, run


class BrokenError(Exception):
    """What the broken parts raise."""


class BrokenProvider:
    def __getattr__(self, name: str) -> Any:
        raise BrokenError(name)


class BrokenAtStart(SpanProcessor):
    def on_start(self, span: Any, parent_context: Any = None) -> None:
        raise BrokenError("on_start")


class BrokenAtEnd(SpanProcessor):
    def on_end(self, span: Any) -> None:
        raise BrokenError("on_end")


class BrokenSampler(Sampler):
    def should_sample(self, *args: Any, **kwargs: Any) -> Any:
        raise BrokenError("should_sample")

    def get_description(self) -> str:
        return "broken"


def provider_with(processor: SpanProcessor) -> TracerProvider:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    return provider


BROKEN = {
    "provider": BrokenProvider,
    "processor at start": lambda: provider_with(BrokenAtStart()),
    "processor at end": lambda: provider_with(BrokenAtEnd()),
    "sampler": lambda: TracerProvider(sampler=BrokenSampler(), shutdown_on_exit=False),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_part_costs_the_span_and_nothing_else(broken: str, caplog: pytest.LogCaptureFixture) -> None:
    telemetry = OpenTelemetry(BROKEN[broken](), BrokenProvider())
    ran: list[bool] = []
    with caplog.at_level(logging.WARNING, "otel_taskflow"):
        for _ in range(3):
            task = enqueued(telemetry)
            attempt = run(telemetry, task, body=lambda: ran.append(True), outcome=AttemptOutcome.FAILED, error=FAILURE)
            assert task.span is not None
            assert len(attempt.trace_id) == 32
            assert attempt.trace_id == task.span.trace_id
            assert attempt.parent_span_id == task.span.span_id
    assert len(ran) == 3
    said = [record.getMessage() for record in caplog.records if "telemetry failed" in record.getMessage()]
    assert said
    assert len(said) == len(set(said)), "each kind of failure is logged once"
    assert sum(telemetry.mishaps.counts.values()) >= 3


def test_a_broken_propagator_costs_its_own_fields_only(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    class BrokenPropagator:
        fields = frozenset({"x"})

        def inject(self, *args: Any, **kwargs: Any) -> None:
            raise BrokenError("inject")

        def extract(self, *args: Any, **kwargs: Any) -> Any:
            raise BrokenError("extract")

    monkeypatch.setattr(propagate, "propagator", BrokenPropagator())
    telemetry = OpenTelemetry(recorder.tracer_provider, recorder.meter_provider)
    task = enqueued(telemetry)
    attempt = run(telemetry, task._replace(carrier={**task.carrier, "baggage": "a=b"}))
    assert task.span is not None
    assert attempt.parent_span_id == task.span.span_id


def test_log_lines_that_raise_cost_the_events_only(recorder: Recorder, telemetry: OpenTelemetry) -> None:
    class BrokenLines(Lines):
        def kept(self) -> Any:
            raise BrokenError("kept")

    run(telemetry, enqueued(telemetry), lines=BrokenLines())
    assert recorder.span("process send_email").events == ()


def test_a_broken_logger_provider_does_not_make_the_slice_come_again() -> None:
    consumer = LogRecordConsumer(BrokenProvider())
    task = enqueued(OpenTelemetry(BrokenProvider(), BrokenProvider()))
    assert task.span is not None
    events: list[Any] = [
        TaskEnqueued("t", T0, "job", None, {}, None, "manual", False, task.span, {}, 1, "thread"),
        AttemptStarted("t", T0, 0, task.span, "w", 0),
        TaskLogged("t", T0, 0, 1, "info", "hello", {}),
    ]
    header = JournalHeader("j", T0, 1, "host", "boot", "w")
    consumer.consume(JournalSlice(header, 1, 3, list(enumerate(events, 1))))
    assert consumer.mishaps.counts["emit a log record"] == 2
