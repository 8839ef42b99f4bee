"""Records and samples with times of their own, posted to whatever takes OTLP over HTTP."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from time import time_ns
from typing import Any, NamedTuple

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AggregationTemporality,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

SECOND = 1_000_000_000
HOUR = 3600 * SECOND


class Answer(NamedTuple):
    """What a server said."""

    status: int
    text: str


def post_logs(
    endpoint: str, records: Iterable[tuple[int, str]], *, instance: str, service: str = "shop", **attributes: str
) -> Answer:
    """Lines (Unix nanoseconds, text) of one process, in one request."""
    logs = [
        LogRecord(time_unix_nano=time, body=AnyValue(string_value=text), attributes=_pairs(attributes))
        for time, text in records
    ]
    of_resource = ResourceLogs(resource=_resource(service, instance), scope_logs=[ScopeLogs(log_records=logs)])
    return _post(f"{endpoint}/v1/logs", ExportLogsServiceRequest(resource_logs=[of_resource]))


def post_counter(
    endpoint: str, name: str, points: Iterable[tuple[int, int]], *, instance: str, service: str = "shop"
) -> Answer:
    """Samples (Unix nanoseconds, value) of a cumulative counter of one process."""
    samples = [NumberDataPoint(time_unix_nano=time, as_int=value) for time, value in points]
    total = Sum(
        data_points=samples,
        is_monotonic=True,
        aggregation_temporality=AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE,
    )
    of_scope = ScopeMetrics(metrics=[Metric(name=name, sum=total)])
    of_resource = ResourceMetrics(resource=_resource(service, instance), scope_metrics=[of_scope])
    return _post(f"{endpoint}/v1/metrics", ExportMetricsServiceRequest(resource_metrics=[of_resource]))


def post_spans(endpoint: str, count: int, *, instance: str, service: str = "shop") -> Answer:
    """So many spans of attempts, in one request."""
    now = time_ns()
    spans = [
        Span(
            trace_id=number.to_bytes(16, "big"),
            span_id=number.to_bytes(8, "big"),
            name="process order",
            kind=Span.SpanKind.SPAN_KIND_CONSUMER,
            start_time_unix_nano=now,
            end_time_unix_nano=now + SECOND,
        )
        for number in range(1, count + 1)
    ]
    of_resource = ResourceSpans(resource=_resource(service, instance), scope_spans=[ScopeSpans(spans=spans)])
    return _post(f"{endpoint}/v1/traces", ExportTraceServiceRequest(resource_spans=[of_resource]))


def _post(url: str, message: Any) -> Answer:
    headers = {"Content-Type": "application/x-protobuf"}
    request = urllib.request.Request(url, message.SerializeToString(), headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return Answer(answer.status, answer.read().decode("utf-8", "replace"))
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.read().decode("utf-8", "replace"))


def _resource(service: str, instance: str) -> Resource:
    return Resource(attributes=_pairs({"service.name": service, "service.instance.id": instance}))


def _pairs(attributes: Mapping[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=AnyValue(string_value=value)) for key, value in attributes.items()]
