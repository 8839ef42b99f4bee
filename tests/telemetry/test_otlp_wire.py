"""What is written by hand in protobuf's wire format, beside what the protobuf package makes of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common._internal import _encode_attributes
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_taskflow.model import SpanIdentity
from otel_taskflow.telemetry.otlp.encode import encode_log, encode_resource, encode_span
from otel_taskflow.telemetry.otlp.values import LogData, SpanData, SpanEvent, SpanLink

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
integers = st.integers(-(2**63), 2**63 - 1)
floats = st.floats(allow_nan=False)
scalars = texts | st.booleans() | integers | floats | st.binary(max_size=300)
values = scalars | st.lists(texts, max_size=4) | st.lists(integers, max_size=4) | st.lists(floats, max_size=4)
attributes = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40), values, max_size=8
)
times = st.integers(0, 2**64 - 1)
counts = st.integers(0, 2**32 - 1)
identities = st.builds(
    SpanIdentity,
    st.binary(min_size=16, max_size=16).map(bytes.hex),
    st.binary(min_size=8, max_size=8).map(bytes.hex),
    st.none() | st.binary(min_size=8, max_size=8).map(bytes.hex),
    st.integers(0, 255),
    st.sampled_from(["", "vendor=1"]),
)


@given(attributes)
def test_attributes_are_what_the_sdks_encoder_makes(values: dict[str, Any]) -> None:
    assert Resource.FromString(encode_resource(values)) == Resource(attributes=_encode_attributes(values))


@given(
    st.builds(
        SpanData,
        texts,
        st.sampled_from(["producer", "consumer"]),
        identities,
        times,
        times,
        attributes,
        st.lists(st.builds(SpanEvent, texts, times, attributes), max_size=4),
        st.lists(st.builds(SpanLink, identities, attributes, st.booleans()), max_size=3),
        st.sampled_from(["unset", "ok", "error"]),
        texts,
        st.booleans(),
        *[counts] * 3,
    )
)
def test_a_span_says_what_it_was_given(span: SpanData) -> None:
    flags = {False: 0x100, True: 0x300}
    assert Span.FromString(encode_span(span)) == Span(
        **ids(span.identity),
        trace_state=span.identity.trace_state,
        parent_span_id=bytes.fromhex(span.identity.parent_span_id or ""),
        name=span.name,
        kind="SPAN_KIND_PRODUCER" if span.kind == "producer" else "SPAN_KIND_CONSUMER",  # type: ignore[arg-type] # names are taken
        start_time_unix_nano=span.start_time,
        end_time_unix_nano=span.end_time,
        attributes=_encode_attributes(span.attributes),
        events=[
            Span.Event(name=each.name, time_unix_nano=each.time, attributes=_encode_attributes(each.attributes))
            for each in span.events
        ],
        links=[
            Span.Link(
                **ids(each.identity),
                trace_state=each.identity.trace_state,
                attributes=_encode_attributes(each.attributes),
                flags=flags[each.is_remote],
            )
            for each in span.links
        ],
        status={"code": f"STATUS_CODE_{span.status.upper()}", "message": span.status_description},  # type: ignore[arg-type] # a dict is taken
        dropped_attributes_count=span.dropped_attributes,
        dropped_events_count=span.dropped_events,
        dropped_links_count=span.dropped_links,
        flags=flags[span.is_parent_remote],
    )


@given(
    st.builds(
        LogData, times, times, st.integers(0, 24), texts, texts, attributes, texts, st.none() | identities, counts
    )
)
def test_a_log_record_says_what_it_was_given(log: LogData) -> None:
    found = LogRecord.FromString(encode_log(log))
    expected = LogRecord(
        time_unix_nano=log.time,
        observed_time_unix_nano=log.observed_time,
        severity_number=log.severity,  # type: ignore[arg-type] # the enum's values are these numbers
        severity_text=log.severity_text,
        body={"string_value": log.body},  # type: ignore[arg-type] # a dict is taken
        attributes=_encode_attributes(log.attributes),
        event_name=log.event_name,
        dropped_attributes_count=log.dropped_attributes,
        **({} if log.identity is None else {**ids(log.identity), "flags": log.identity.trace_flags}),
    )
    assert found == expected


@pytest.mark.parametrize("time", [-1, 2**64])
def test_a_time_that_is_none_is_refused_by_a_value_error(time: int) -> None:
    with pytest.raises(ValueError, match=r"is no time in nanoseconds"):
        encode_log(LogData(time, 0, 9, "INFO", "line"))


def ids(identity: SpanIdentity) -> dict[str, Any]:
    return {"trace_id": bytes.fromhex(identity.trace_id), "span_id": bytes.fromhex(identity.span_id)}
