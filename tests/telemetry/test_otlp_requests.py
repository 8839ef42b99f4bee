"""Requests put together from bytes read back as what protobuf itself would have written."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from otel_taskflow.telemetry.otlp.requests import rejected, request, status_text


class Source(NamedTuple):
    resource: bytes
    resource_schema_url: str
    scope: bytes
    scope_schema_url: str


def source(service: str, scope: str, resource_url: str = "", scope_url: str = "") -> Source:
    attribute = KeyValue(key="service.name", value=AnyValue(string_value=service))
    return Source(
        Resource(attributes=[attribute]).SerializeToString(),
        resource_url,
        InstrumentationScope(name=scope).SerializeToString(),
        scope_url,
    )


def span(name: str) -> bytes:
    return bytes(Span(name=name, trace_id=bytes(16), span_id=bytes(8)).SerializeToString())


def scope_spans(scope: str, names: list[str], url: str = "") -> ScopeSpans:
    return ScopeSpans(
        scope=InstrumentationScope(name=scope), spans=[Span.FromString(span(name)) for name in names], schema_url=url
    )


def resource_spans(service: str, scopes: list[ScopeSpans], url: str = "") -> ResourceSpans:
    return ResourceSpans(resource=Resource.FromString(source(service, "").resource), scope_spans=scopes, schema_url=url)


def test_messages_stand_under_their_resource_and_scope_in_order() -> None:
    body = request(
        [
            (source("shop", "a", "https://r/1", "https://s/1"), [span("1"), span("2")]),
            (source("shop", "b", "https://r/1"), [span("3")]),
            (source("mail", "a"), [span("4")]),
        ]
    )
    shop = resource_spans("shop", [scope_spans("a", ["1", "2"], "https://s/1"), scope_spans("b", ["3"])], "https://r/1")
    assert ExportTraceServiceRequest.FromString(body) == ExportTraceServiceRequest(
        resource_spans=[shop, resource_spans("mail", [scope_spans("a", ["4"])])]
    )
    assert body == ExportTraceServiceRequest.FromString(body).SerializeToString()


def test_a_resource_that_comes_again_is_written_once() -> None:
    body = request(
        [(source("shop", "a"), [span("1")]), (source("mail", "a"), [span("2")]), (source("shop", "b"), [span("3")])]
    )
    found = ExportTraceServiceRequest.FromString(body).resource_spans
    assert [[each.scope.name for each in group.scope_spans] for group in found] == [["a", "b"], ["a"]]


def test_log_records_are_put_together_by_the_same_bytes() -> None:
    record = LogRecord(body=AnyValue(string_value="hello"), severity_number=9)  # type: ignore[arg-type]
    body = request([(source("shop", "a", "https://r/1", "https://s/1"), [record.SerializeToString()])])
    lines = ScopeLogs(scope=InstrumentationScope(name="a"), log_records=[record], schema_url="https://s/1")
    resource = Resource.FromString(source("shop", "").resource)
    assert ExportLogsServiceRequest.FromString(body) == ExportLogsServiceRequest(
        resource_logs=[ResourceLogs(resource=resource, scope_logs=[lines], schema_url="https://r/1")]
    )


@given(st.lists(st.integers(0, 70_000), max_size=5))
def test_messages_of_any_length_keep_their_bounds(lengths: list[int]) -> None:
    names = ["n" * length for length in lengths]
    body = request([(source("shop", "a"), [span(name) for name in names])])
    (found,) = ExportTraceServiceRequest.FromString(body).resource_spans
    assert [each.name for each in found.scope_spans[0].spans] == names


def test_no_messages_make_an_empty_request() -> None:
    assert request([]) == b""


def partial(signal: str, count: int, message: str) -> bytes:
    response: Any
    if signal == "traces":
        response = ExportTraceServiceResponse()
        response.partial_success.rejected_spans = count
    else:
        response = ExportLogsServiceResponse()
        response.partial_success.rejected_log_records = count
    response.partial_success.error_message = message
    return bytes(response.SerializeToString())


@pytest.mark.parametrize("signal", ["traces", "logs"])
def test_a_partial_success_says_how_many_and_why(signal: str) -> None:
    assert rejected(signal, partial(signal, 3, "too old")) == (3, "too old")
    assert rejected(signal, partial(signal, 0, "moves soon")) == (0, "moves soon")
    assert rejected(signal, partial(signal, -4, "")) == (0, "")
    assert rejected(signal, b"") == (0, "")


@given(st.binary(max_size=60))
def test_an_answer_that_is_no_protobuf_says_nothing_and_harms_nobody(body: bytes) -> None:
    count, _ = rejected("traces", body)
    assert count >= 0
    status_text(body)


def test_a_failures_text_is_read_from_its_status() -> None:
    status = b"\x08\x03\x12\x0binvalid key\x1a\x02\x0a\x00"
    assert status_text(status) == "invalid key"
    assert status_text(b"<html>502</html>") == ""
