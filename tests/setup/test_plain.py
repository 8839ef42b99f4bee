"""The usual span and log record, encoded by hand, beside what the SDK's own encoder makes of the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord as SentLogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk._logs import LoggerProvider, ReadWriteLogRecord
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from otel_taskflow.setup import encoding
from otel_taskflow.setup.plain import NotPlainError, encode_plain_log, encode_plain_span

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
numbers = st.integers(-(2**63), 2**63 - 1) | st.integers(-300, 300)
floats = st.floats(allow_nan=False)
values = texts | st.booleans() | numbers | floats
attributes = st.dictionaries(
    texts.filter(bool), values | st.lists(texts).map(tuple) | st.lists(numbers).map(tuple), max_size=6
)
times = st.integers(0, 2**64 - 1)
contexts = st.builds(
    SpanContext,
    st.integers(1, 2**128 - 1),
    st.integers(1, 2**64 - 1),
    st.booleans(),
    st.just(TraceFlags(1)),
    st.sampled_from([TraceState(), TraceState([("a", "1"), ("b", "2")])]),
)
spans = st.builds(
    ReadableSpan,
    name=texts,
    context=contexts,
    parent=st.none() | contexts,
    resource=st.just(Resource({})),
    attributes=attributes,
    events=st.lists(st.builds(Event, texts, attributes, times), max_size=4),
    links=st.lists(st.builds(Link, contexts, attributes), max_size=3),
    kind=st.sampled_from(SpanKind),
    status=st.builds(Status, st.sampled_from([StatusCode.UNSET, StatusCode.OK]))
    | st.builds(Status, st.just(StatusCode.ERROR), st.none() | texts),
    start_time=times,
    end_time=times,
)


@given(spans)
def test_a_span_is_what_the_sdk_sends(span: ReadableSpan) -> None:
    (expected,) = encode_spans([span]).resource_spans[0].scope_spans[0].spans
    assert Span.FromString(encode_plain_span(span)) == expected


@given(
    st.none() | times,
    st.none() | contexts,
    texts,
    st.none() | texts,
    st.none() | st.sampled_from(SeverityNumber),
    attributes,
    st.none() | texts,
)
def test_a_log_record_is_what_the_sdk_sends(
    time: int | None,
    context: SpanContext | None,
    body: str,
    severity_text: str | None,
    severity: SeverityNumber | None,
    extra: dict[str, Any],
    event_name: str | None,
) -> None:
    record = emitted(
        LogRecord(
            timestamp=time,
            observed_timestamp=1,
            context=None,
            trace_id=context.trace_id if context else None,
            span_id=context.span_id if context else None,
            trace_flags=context.trace_flags if context else None,
            severity_text=severity_text,
            severity_number=severity,
            body=body,
            attributes=extra,
            event_name=event_name,
        )
    )
    (expected,) = encode_logs([record]).resource_logs[0].scope_logs[0].log_records
    assert SentLogRecord.FromString(encode_plain_log(record)) == expected


class Name(str):
    __slots__ = ()


@pytest.mark.parametrize("value", [None, 2**70, {"a": 1}, b"bytes", ("a", None), Name("mine"), "\ud800"])
def test_what_is_not_plain_is_left_to_the_sdks_encoder(value: Any) -> None:
    span = ReadableSpan(
        "span",
        SpanContext(1, 2, False),
        resource=Resource({}),
        attributes={"usual": 1, "odd": value},
        status=Status(),
        start_time=1,
        end_time=2,
    )
    with pytest.raises((NotPlainError, UnicodeEncodeError)):
        encode_plain_span(span)
    (expected,) = encode_spans([span]).resource_spans[0].scope_spans[0].spans
    assert Span.FromString(encoding.encode_span(span)) == expected


def emitted(record: LogRecord) -> Any:
    exporter = InMemoryLogRecordExporter()
    provider = LoggerProvider(Resource({}), shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    provider.get_logger("app").emit(record)
    (found,) = exporter.get_finished_logs()
    return ReadWriteLogRecord(found.log_record, found.resource, found.instrumentation_scope)
