"""The collector that the other tests compare with does what they rely on."""

from __future__ import annotations

import pytest
from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from tests.collector import otlp_file
from tests.collector.process import Collector

pytestmark = pytest.mark.collector


def tracer_provider(collector: Collector) -> TracerProvider:
    provider = TracerProvider(resource=Resource.create({"service.name": "shop"}))
    exporter = OTLPSpanExporter(endpoint=f"{collector.http_endpoint}/v1/traces")
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider


def logger_provider(collector: Collector) -> LoggerProvider:
    provider = LoggerProvider(resource=Resource.create({"service.name": "shop"}))
    exporter = OTLPLogExporter(endpoint=f"{collector.http_endpoint}/v1/logs")
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    return provider


def test_a_span_is_read_back_as_it_was_sent(collector: Collector) -> None:
    provider = tracer_provider(collector)
    tracer = provider.get_tracer("shop.orders", "1.2")
    send = tracer.start_span("send order", kind=trace.SpanKind.PRODUCER, start_time=1_000)
    link = trace.Link(send.get_span_context(), {"why": "queued"})
    process = tracer.start_span(
        "process order",
        trace.set_span_in_context(send),
        trace.SpanKind.CONSUMER,
        {"text": "ä", "whole": 2**63 - 1, "real": 0.5, "yes": True, "list": ["a", "b"]},
        [link],
        start_time=1_700_000_000_000_000_001,
    )
    process.add_event("task.log", {"message": "Sending", "order_id": 42}, timestamp=1_700_000_000_000_000_002)
    process.set_status(trace.StatusCode.ERROR, "no route")
    process.end(1_700_000_000_000_000_003)
    send.end(2_000)
    provider.shutdown()
    collector.stop()

    received, parent = otlp_file.spans(collector.output)
    sent, sent_parent = process.get_span_context(), send.get_span_context()
    assert received == otlp_file.Span(
        trace_id=f"{sent.trace_id:032x}",
        span_id=f"{sent.span_id:016x}",
        parent_span_id=f"{sent_parent.span_id:016x}",
        name="process order",
        kind="CONSUMER",
        start_time=1_700_000_000_000_000_001,
        end_time=1_700_000_000_000_000_003,
        status="ERROR",
        status_description="no route",
        attributes={"text": "ä", "whole": 2**63 - 1, "real": 0.5, "yes": True, "list": ["a", "b"]},
        events=(otlp_file.SpanEvent("task.log", 1_700_000_000_000_000_002, {"message": "Sending", "order_id": 42}),),
        links=(otlp_file.SpanLink(f"{sent_parent.trace_id:032x}", f"{sent_parent.span_id:016x}", {"why": "queued"}),),
        trace_flags=received.trace_flags,  # the exporter sends none
        resource=received.resource,
        scope="shop.orders",
        scope_version="1.2",
    )
    assert received.resource["service.name"] == "shop"
    assert (parent.kind, parent.status, parent.parent_span_id) == ("PRODUCER", "UNSET", None)
    assert received.events_named("task.log") == received.events


def test_a_log_record_is_read_back_as_it_was_sent(collector: Collector) -> None:
    provider = logger_provider(collector)
    context = trace.SpanContext(0xABC, 0xDEF, is_remote=False, trace_flags=trace.TraceFlags(1))
    record = LogRecord(
        timestamp=1_700_000_000_000_000_001,
        observed_timestamp=1_700_000_000_000_000_002,
        context=trace.set_span_in_context(trace.NonRecordingSpan(context)),
        severity_text="WARN",
        severity_number=SeverityNumber.WARN,
        body="Retrying",
        attributes={"order_id": "A1", "amount": 12.5, "lines": [1, 2], "nested": {"a": 1}, "raw": b"\x00\xff"},
        event_name="shop.retry",
    )
    provider.get_logger("shop.orders", "1.2").emit(record)
    provider.shutdown()
    collector.stop()

    (received,) = otlp_file.log_records(collector.output)
    assert received == otlp_file.LogRecord(
        time=1_700_000_000_000_000_001,
        observed_time=1_700_000_000_000_000_002,
        severity_number=13,
        severity_text="WARN",
        body="Retrying",
        event_name="shop.retry",
        attributes={"order_id": "A1", "amount": 12.5, "lines": [1, 2], "nested": {"a": 1}, "raw": b"\x00\xff"},
        trace_id=f"{0xABC:032x}",
        span_id=f"{0xDEF:016x}",
        trace_flags=1,
        resource=received.resource,
        scope="shop.orders",
        scope_version="1.2",
    )


def test_what_was_accepted_can_be_read_while_the_collector_runs(collector: Collector) -> None:
    provider = tracer_provider(collector)
    provider.get_tracer("shop").start_span("live").end()
    collector.wait_until(lambda: bool(otlp_file.spans(collector.output)))
    provider.shutdown()


def test_what_was_written_stays_when_the_collector_starts_again(collector: Collector) -> None:
    for name in ("before", "after"):
        provider = tracer_provider(collector)
        provider.get_tracer("shop").start_span(name).end()
        provider.shutdown()
        collector.stop()
        if name == "before":
            collector.start()
    assert [each.name for each in otlp_file.spans(collector.output)] == ["before", "after"]
