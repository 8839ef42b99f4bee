"""``recovery_exporter=``: what it may be, what is rebuilt of an attempt, and that it harms nobody."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_taskflow import ConfigurationError, OTLPExporter, TaskManager
from otel_taskflow.manager.recovered import RecoveredSpans
from otel_taskflow.manager.signals import RecoveryPlan
from otel_taskflow.model import LogRow, SpanIdentity, TaskStatus
from otel_taskflow.ports import JournalHeader, Store, StoreWrite
from otel_taskflow.registry import Registry
from otel_taskflow.stores.memory import MemoryStore
from otel_taskflow.telemetry.additions import packed_attributes
from otel_taskflow.testing.otlp_receiver import OTLPReceiver
from otel_taskflow.testing.store_rows import SPAN, START, make_attempt, make_task
from tests.telemetry.parts import Recorder

HEADER = JournalHeader("journal-a", START - 5, 1, "host", "boot", "host:1", resource={"service.name": "shop"})
SENT = SpanIdentity(SPAN.trace_id, SPAN.parent_span_id or "", None, 1)


class Broken(SpanExporter):
    """Fails in its own way each time."""

    def __init__(self, *exports: Callable[[], SpanExportResult]) -> None:
        self._exports = list(exports)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self._exports.pop(0)()

    def shutdown(self) -> None:
        raise OSError("shut already")


def raise_error() -> SpanExportResult:
    raise ValueError("no")


@pytest.fixture
def store() -> Iterator[Store]:
    """A store with one running attempt of a dead process."""
    store = MemoryStore()
    store.writer.open()
    carrier = {"traceparent": f"00-{SENT.trace_id}-{SENT.span_id}-01"}
    task = make_task(status=TaskStatus.RUNNING, attempts=2, span=SENT, carrier=carrier, tags={"shop": "north"})
    before = make_attempt(span=SPAN._replace(span_id="c" * 16))
    store.writer.write(StoreWrite("journal-a", 1, [task], [before, make_attempt(attempt=1, log_count=0)]))
    yield store
    store.writer.close()


def add_lines(store: Store, numbers: Sequence[int]) -> None:
    lines = [LogRow("task-1", 1, seq, START + 10 + seq, "info", f"line {seq}", {"n": seq}) for seq in numbers]
    store.writer.write(StoreWrite("journal-a", 2, attempts=[make_attempt(attempt=1, log_count=len(lines))], logs=lines))


def recovered(store: Store, exporter: SpanExporter) -> RecoveredSpans:
    spans = RecoveredSpans(RecoveryPlan(exporter, {"service.name": "heir"}, ""), store, Registry())
    spans.start()
    return spans


def recover(store: Store, header: JournalHeader = HEADER) -> Sequence[ReadableSpan]:
    exporter = InMemorySpanExporter()
    spans = recovered(store, exporter)
    spans.take(header)
    spans.stop(10.0)
    return exporter.get_finished_spans()


def test_a_span_has_ids_parent_links_attributes_and_resource_of_its_attempt(store: Store) -> None:
    (span,) = recover(store)
    assert (span.name, span.start_time, span.end_time) == ("process send_email", START + 1, START + 1)
    assert span.context is not None
    assert span.parent is not None
    assert (f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}") == SPAN[:2]
    assert f"{span.parent.span_id:016x}" == SPAN.parent_span_id
    assert span.context.trace_state.to_header() == "vendor=1"
    assert not span.parent.is_remote
    assert [f"{link.context.span_id:016x}" for link in span.links] == [SENT.span_id, "c" * 16]
    assert dict(span.resource.attributes) == {"service.name": "shop"}
    attributes = span.attributes or {}
    assert attributes["otel_taskflow.attempt.number"] == 2
    assert attributes["otel_taskflow.tag.shop"] == "north"


def test_the_sdks_otlp_exporter_takes_it(store: Store) -> None:
    add_lines(store, range(1, 4))
    with OTLPReceiver() as receiver:
        spans = recovered(store, OTLPSpanExporter(f"{receiver.url}/v1/traces"))
        spans.take(HEADER)
        spans.stop(10.0)
    (span,) = receiver.spans
    assert (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()) == SPAN[:3]
    assert (span.kind, span.status.code) == (span.SPAN_KIND_CONSUMER, span.status.STATUS_CODE_ERROR)
    assert (len(span.events), len(span.links), spans.exported) == (3, 2, 1)


def test_of_many_lines_the_first_and_the_last_are_its_events(store: Store) -> None:
    numbers = [*range(10, 300), *range(400, 700)]
    add_lines(store, numbers)
    (span,) = recover(store)
    kept = [*numbers[:64], *numbers[-64:]]
    assert [(event.attributes or {})["n"] for event in span.events] == kept
    assert [event.timestamp for event in span.events] == [START + 10 + seq for seq in kept]
    assert span.end_time == START + 10 + numbers[-1]
    assert (span.attributes or {})["otel_taskflow.log.omitted"] == len(numbers) - 128


def test_a_task_of_another_process_has_a_remote_parent(store: Store) -> None:
    (span,) = recover(store, HEADER._replace(created_at=START + 1))
    assert span.parent is not None
    assert span.parent.is_remote


def test_a_resource_that_json_cannot_hold_is_that_of_the_recovered_span(store: Store) -> None:
    told = {"build.digest": b"\xff", "zones": ["a", "b"]}
    (span,) = recover(store, HEADER._replace(resource=packed_attributes(told)))
    assert dict(span.resource.attributes) == dict(Resource(told).attributes)


def test_a_process_that_told_no_resource_has_that_of_its_heir(store: Store) -> None:
    (span,) = recover(store, HEADER._replace(resource={}))
    assert dict(span.resource.attributes) == {"service.name": "heir"}


@pytest.mark.parametrize(
    "attempt",
    [
        pytest.param(make_attempt(attempt=1, span=SPAN._replace(trace_flags=0)), id="not sampled"),
        pytest.param(make_attempt(attempt=1, span=SpanIdentity("", "")), id="without a span"),
    ],
)
def test_what_nobody_recorded_is_not_exported(store: Store, attempt: Any) -> None:
    store.writer.write(StoreWrite("journal-a", 2, attempts=[attempt]))
    assert recover(store) == ()


def test_failures_are_counted_logged_once_and_shown(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    spans = recovered(store, Broken(raise_error, lambda: SpanExportResult.FAILURE))
    assert spans.health().state == "ok"
    spans.take(HEADER)
    spans.take(HEADER)
    spans.stop(10.0)
    spans.stop(10.0)
    assert (spans.exported, spans.failed, spans.health().state) == (0, 2, "degraded")
    assert [record.getMessage().count("recovery_exporter=") for record in caplog.records] == [1, 1]


def test_a_store_that_fails_is_no_reason_to_stop_the_takeover(store: Store) -> None:
    spans = recovered(store, InMemorySpanExporter())
    store.writer.close()
    spans.take(HEADER)
    spans.stop(10.0)
    assert spans.failed == 1


def test_an_exporter_that_hangs_is_left_behind(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    hung = threading.Event()
    spans = recovered(store, Broken(lambda: SpanExportResult.SUCCESS if hung.wait(20.0) else SpanExportResult.FAILURE))
    spans.take(HEADER)
    begun = time.monotonic()
    spans.stop(0.2)
    assert time.monotonic() - begun < 5.0
    hung.set()
    assert "shut down recovery_exporter= in time" in caplog.text
    spans.stop(10.0)


@pytest.mark.parametrize("wrong", ["http://localhost:4318", InMemorySpanExporter, OTLPExporter()])
def test_anything_but_an_exporter_of_spans_is_refused(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"recovery_exporter=.* must be .*SpanExporter.*observers="):
        TaskManager(recovery_exporter=wrong)


def test_it_is_not_used_where_the_outbox_exports_spans(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "otel_taskflow")
    exporter = OTLPExporter("http://127.0.0.1:1", signals=("traces", "logs"))
    manager = TaskManager(
        dir=str(tmp_path),
        observers=[exporter],
        tracer_provider=Recorder().tracer_provider,
        recovery_exporter=InMemorySpanExporter(),
    )
    manager.start()
    try:
        assert manager.runtime.recovered is None
        assert (
            len([each for each in caplog.messages if "recovery_exporter=InMemorySpanExporter is not used" in each]) == 1
        )
    finally:
        manager.stop()


def test_it_is_used_beside_an_exporter_of_log_records(tmp_path: Path) -> None:
    manager = TaskManager(
        dir=str(tmp_path),
        observers=[OTLPExporter("http://127.0.0.1:1")],
        tracer_provider=Recorder().tracer_provider,
        recovery_exporter=InMemorySpanExporter(),
    )
    manager.start()
    try:
        assert "recovery_exporter" in [part.part for part in manager.health().parts]
    finally:
        manager.stop()
