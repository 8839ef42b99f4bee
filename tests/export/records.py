"""Numbered records, so that it can be counted which of them arrived."""

from __future__ import annotations

import time
from collections.abc import Iterable

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_taskflow.spool import Message, Source

NAME = "otlp"


def source(service: str = "shop", scope: str = "otel_taskflow") -> Source:
    attribute = KeyValue(key="service.name", value=AnyValue(string_value=service))
    resource = Resource(attributes=[attribute]).SerializeToString()
    return Source(resource, "", InstrumentationScope(name=scope, version="1").SerializeToString(), "https://a.schema/1")


SHOP = source()


def encoded_span(number: int, padding: int = 0) -> bytes:
    return bytes(
        Span(
            trace_id=number.to_bytes(16, "big"), span_id=number.to_bytes(8, "big"), name="n" * padding
        ).SerializeToString()
    )


def encoded_log(number: int) -> bytes:
    return bytes(LogRecord(body=AnyValue(string_value=str(number))).SerializeToString())


def spans(numbers: Iterable[int], destination: str = NAME, padding: int = 0) -> list[Message]:
    return [Message(destination, "traces", SHOP, encoded_span(number, padding), time.time_ns()) for number in numbers]


def logs(numbers: Iterable[int], destination: str = NAME) -> list[Message]:
    return [Message(destination, "logs", SHOP, encoded_log(number), time.time_ns()) for number in numbers]


def number_of(span: Span) -> int:
    return int.from_bytes(span.span_id, "big")
