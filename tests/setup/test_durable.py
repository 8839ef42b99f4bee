"""The durable processors inside a process: what they keep, what they leave to others, and that they never stand in the way."""

from __future__ import annotations

import logging
import signal
import sqlite3
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased

from otel_taskflow import ConfigurationError, DurableLogRecordProcessor, DurableSpanProcessor, JournalError
from otel_taskflow.export import OTLPExporter
from otel_taskflow.journal.segment import Segment
from otel_taskflow.journal.writer import JournalWriter
from otel_taskflow.setup import intake
from otel_taskflow.setup.sharing import open_buffers
from otel_taskflow.testing.otlp_receiver import OTLPReceiver, Reply

RESOURCE = Resource.create({"service.name": "shop"})


class App:
    """Providers with durable processors."""

    def __init__(self, url: str, folder: Path, *, timeout: float = 2, **options: Any) -> None:
        exporter = OTLPExporter(url, timeout=timeout, schedule_delay=0.05)
        self.spans = DurableSpanProcessor(exporter, dir=folder)
        self.tracers = TracerProvider(resource=RESOURCE, shutdown_on_exit=False, **options)
        self.tracers.add_span_processor(self.spans)
        self.tracer = self.tracers.get_tracer("app", "1.2", "https://schema", {"team": "blue"})
        self.logs = DurableLogRecordProcessor(exporter, dir=folder)
        self.loggers = LoggerProvider(resource=RESOURCE, shutdown_on_exit=False)
        self.loggers.add_log_record_processor(self.logs)

    def end(self, name: str) -> None:
        self.tracer.start_span(name).end()

    def shutdown(self) -> None:
        self.tracers.shutdown()
        self.loggers.shutdown()


@pytest.fixture
def receiver() -> Iterator[OTLPReceiver]:
    with OTLPReceiver() as opened:
        yield opened


@pytest.fixture
def app(receiver: OTLPReceiver, tmp_path: Path) -> Iterator[App]:
    made = App(receiver.url, tmp_path)
    yield made
    made.shutdown()


@contextmanager
def logging_to(provider: LoggerProvider, name: str, level: int) -> Iterator[logging.Logger]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # its successor is in a package that we do not need
        logger, handler = logging.getLogger(name), LoggingHandler(logger_provider=provider)
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(level)
    try:
        yield logger
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


def names(receiver: OTLPReceiver) -> list[str]:
    return [span.name for span in receiver.spans]


# What arrives


def test_a_span_arrives_as_the_sdk_would_have_sent_it(receiver: OTLPReceiver, app: App) -> None:
    memory = InMemorySpanExporter()
    app.tracers.add_span_processor(SimpleSpanProcessor(memory))
    with app.tracer.start_as_current_span("parent", attributes={"a": 1, "b": ["x", "y"], "c": 1.5}) as parent:
        link = trace.Link(parent.get_span_context(), {"k": "v"})
        with suppress(ValueError), app.tracer.start_as_current_span("child", links=[link]) as child:
            child.add_event("step", {"n": 1})
            raise ValueError("no")
    assert app.tracers.force_flush()
    expected = encode_spans(memory.get_finished_spans())
    assert [span.SerializeToString(deterministic=True) for span in receiver.spans] == [
        span.SerializeToString(deterministic=True) for span in expected.resource_spans[0].scope_spans[0].spans
    ]
    assert receiver.resources[0] == expected.resource_spans[0].resource
    assert expected.resource_spans[0].scope_spans[0].scope.SerializeToString() in receiver.requests[0].body
    assert b"https://schema" in receiver.requests[0].body


def test_a_log_record_arrives_with_its_context_and_fields(receiver: OTLPReceiver, app: App) -> None:
    with logging_to(app.loggers, "shop.mail", logging.INFO) as logger:
        with app.tracer.start_as_current_span("request") as span:
            logger.warning("sent to %s", "ann", extra={"order_id": "A1"})
        logger.info("done")
    assert app.loggers.force_flush()
    first, second = receiver.log_records
    assert receiver.log_bodies == ["sent to ann", "done"]
    assert first.span_id.hex() == f"{span.get_span_context().span_id:016x}"
    assert {each.key for each in first.attributes} >= {"order_id"}
    assert first.severity_text == "WARN"
    assert second.trace_id == b""
    assert receiver.resources[0].attributes[-1].key.startswith(("service", "telemetry"))


def test_scopes_made_anew_for_each_span_are_declared_once(receiver: OTLPReceiver, app: App) -> None:
    for number in range(300):
        app.tracers.get_tracer("app.views").start_span(f"span {number}").end()
    assert app.tracers.force_flush()
    assert len(receiver.spans) == 300
    assert len(open_buffers()[0].intake._numbers) == 1


def test_more_scopes_than_a_segment_should_repeat_lose_nothing(
    receiver: OTLPReceiver, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "DECLARED_BYTES", 1000)
    for number in range(50):
        app.tracers.get_tracer(f"scope {number}").start_span(f"span {number}").end()
    assert app.tracers.force_flush()
    assert sorted(names(receiver)) == sorted(f"span {number}" for number in range(50))
    assert all(f"scope {number}".encode() in b"".join(each.body for each in receiver.requests) for number in range(50))


def test_spans_over_many_segments_arrive(receiver: OTLPReceiver, app: App) -> None:
    for number in range(60):
        app.tracer.start_span(f"span {number}", attributes={"text": "x" * 200_000}).end()
    assert app.tracers.force_flush()
    assert sorted(names(receiver)) == sorted(f"span {number}" for number in range(60))


# What is left out


def test_spans_that_are_not_sampled_are_left_out(receiver: OTLPReceiver, tmp_path: Path) -> None:
    app = App(receiver.url, tmp_path, sampler=TraceIdRatioBased(0.0))
    app.end("unsampled")
    assert app.tracers.force_flush()
    app.shutdown()
    assert receiver.requests == []


def test_what_this_package_logs_is_the_apps_to_export(receiver: OTLPReceiver, app: App) -> None:
    with logging_to(app.loggers, "otel_taskflow", logging.INFO) as logger:
        logger.info("a word of the package's own")
    assert app.loggers.force_flush()
    assert receiver.log_bodies == ["a word of the package's own"]


def test_nothing_is_written_where_the_sdk_is_turned_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    spans = DurableSpanProcessor(dir=tmp_path / "buffer")
    assert spans.force_flush()
    spans.shutdown()
    assert not (tmp_path / "buffer").exists()


def test_nothing_is_written_in_hermetic_tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TASKFLOW_TESTING", "1")
    monkeypatch.setenv("OTEL_TASKFLOW_DIR", str(tmp_path / "buffer"))
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(DurableSpanProcessor())
    provider.get_tracer("app").start_span("tested").end()
    provider.shutdown()
    assert not (tmp_path / "buffer").exists()


def test_what_libraries_log_while_they_send_does_not_beget_itself(receiver: OTLPReceiver, app: App) -> None:
    with logging_to(app.loggers, "urllib3", logging.DEBUG):
        app.end("one")
        assert app.tracers.force_flush()
        time.sleep(0.3)
    assert app.loggers.force_flush()
    assert receiver.log_records == []


# What is wrong


def test_a_span_that_cannot_be_encoded_is_lost_alone_and_flush_says_so(
    receiver: OTLPReceiver, app: App, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("before", "\ud800", "\ud800", "after"):
        app.end(name)
    assert not app.tracers.force_flush()
    assert names(receiver) == ["before", "after"]
    assert len([each for each in caplog.records if "cannot be kept" in each.message]) == 1
    assert app.tracers.force_flush(), "once said is enough"


def test_a_folder_that_cannot_be_used_is_an_error_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match="cannot be used"):
        DurableSpanProcessor(OTLPExporter("http://localhost:4318"), dir=tmp_path / "file")


def test_a_destination_without_the_signal_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="'loki' takes logs only"):
        DurableSpanProcessor(OTLPExporter.loki(), dir=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_two_destinations_of_one_name_are_refused_and_of_two_names_both_served(
    receiver: OTLPReceiver, app: App, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match=r"two different destinations.*'otlp'"):
        DurableSpanProcessor(OTLPExporter("http://localhost:1"), dir=tmp_path)
    with OTLPReceiver() as other:
        second = DurableSpanProcessor(OTLPExporter(other.url, name="second", schedule_delay=0.05), dir=tmp_path)
        app.tracers.add_span_processor(second)
        app.end("for both")
        assert app.tracers.force_flush()
        assert names(other) == names(receiver) == ["for both"]
        second.shutdown()


def test_a_processor_that_was_shut_down_takes_nothing_and_can_be_followed_by_another(
    receiver: OTLPReceiver, tmp_path: Path
) -> None:
    first = App(receiver.url, tmp_path)
    first.end("one")
    first.shutdown()
    first.shutdown()
    first.end("too late")
    assert first.spans.is_delivered
    assert open_buffers() == ()
    second = App(receiver.url, tmp_path)
    second.end("two")
    second.shutdown()
    assert names(receiver) == ["one", "two"]
    assert list((tmp_path / "journal").iterdir()) == []


# What stands in the way


def longest(app: App, spans: int) -> float:
    """Seconds of the longest ``end()``."""
    took = 0.0
    for number in range(spans):
        span = app.tracer.start_span(f"span {number}", attributes={"text": "x" * 10_000})
        begun = time.perf_counter()
        span.end()
        took = max(took, time.perf_counter() - begun)
    return took


def test_a_spool_that_another_process_holds_does_not_hold_up_the_app(receiver: OTLPReceiver, app: App) -> None:
    app.end("first")
    assert app.tracers.force_flush()
    holder = sqlite3.connect(open_buffers()[0].root / "spool" / "spool.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        assert longest(app, 300) < 0.5
        assert not app.tracers.force_flush(300)
    finally:
        holder.execute("ROLLBACK")
        holder.close()
    assert app.tracers.force_flush()
    assert len(receiver.spans) == 301


def test_a_disk_that_hangs_does_not_hold_up_the_app(
    receiver: OTLPReceiver, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    from otel_taskflow.journal import disk

    go_on = threading.Event()
    make = disk.create_segment

    def hang(*args: Any) -> Segment:
        go_on.wait(20)
        return make(*args)

    monkeypatch.setattr(disk, "create_segment", hang)
    try:
        assert longest(app, 2000) < 0.5, "20 MB, and the journal has room for 8"
    finally:
        go_on.set()
    assert app.tracers.force_flush()
    assert len(receiver.spans) == 2000


def test_a_disk_without_room_costs_only_the_safety_against_kills(
    receiver: OTLPReceiver, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    from otel_taskflow.journal import disk

    make = disk.create_segment

    def refuse(path: Path | None, needed: int = 0) -> Segment:
        if path is not None:
            raise OSError(28, "No space left on device")
        return make(path, needed)

    monkeypatch.setattr(disk, "create_segment", refuse)
    longest(app, 1500)
    assert app.tracers.force_flush()
    assert open_buffers()[0].health()[0].state == "degraded"
    assert len(receiver.spans) == 1500


@pytest.mark.no_cover  # a handler in the middle of the measurement would wait for the measurement's own lock
def test_a_signal_handler_that_logs_in_the_middle_of_everything_ends_nothing(
    receiver: OTLPReceiver, tmp_path: Path
) -> None:
    app = App(receiver.url, tmp_path, timeout=60)  # a receiver that answers too late gets a batch twice
    logger = app.loggers.get_logger("handler")
    before = signal.signal(signal.SIGALRM, lambda *_: logger.emit(body="tick", timestamp=1))
    signal.setitimer(signal.ITIMER_REAL, 0.002, 0.0005)
    try:
        deadline = time.monotonic() + 1.5
        ended = 0
        while time.monotonic() < deadline:
            app.end(f"span {ended}")
            ended += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert app.tracers.force_flush()
    assert len(receiver.spans) == ended
    assert set(receiver.log_bodies) == {"tick"}
    app.shutdown()


def test_a_journal_that_is_full_counts_what_it_drops(receiver: OTLPReceiver, tmp_path: Path, monkeypatch: Any) -> None:
    create = JournalWriter.create
    monkeypatch.setattr(JournalWriter, "create", lambda root, header: create(root, header, budget=1))
    app = App(receiver.url, tmp_path)
    longest(app, 1500)
    assert not app.tracers.force_flush()
    lost = open_buffers()[0].health()[0].figures["dropped"]
    app.shutdown()
    assert 0 < lost == 1500 - len(receiver.spans)


def test_health_says_what_waits_and_why(receiver: OTLPReceiver, app: App) -> None:
    receiver.default = Reply(503)
    app.end("waiting")
    assert not app.tracers.force_flush(1500)
    parts = {each.part: each for each in open_buffers()[0].health()}
    assert set(parts) == {"journal:sdk", "spool", "destination:otlp"}
    assert parts["destination:otlp"].state == "degraded"
    assert parts["destination:otlp"].figures["traces.backlog"] == 1
    receiver.default = Reply()
    assert app.tracers.force_flush()
