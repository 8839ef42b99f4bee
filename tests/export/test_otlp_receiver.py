"""The receiver does what its script says, or tests with it would prove nothing."""

from __future__ import annotations

import gzip
import http.client
import socket
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from otel_taskflow.telemetry.otlp.requests import request
from otel_taskflow.testing.otlp_receiver import OTLPReceiver, Reply
from tests.export.records import SHOP, encoded_log, encoded_span


def post(
    receiver: OTLPReceiver, numbers: range = range(5), path: str = "/v1/traces", **headers: str
) -> tuple[int, bytes]:
    encode = encoded_span if path.endswith("traces") else encoded_log
    body = request([(SHOP, [encode(number) for number in numbers])])
    if headers.get("Content_Encoding") == "gzip":
        body = gzip.compress(body)
    connection = http.client.HTTPConnection(receiver.url.removeprefix("http://"), timeout=5)
    try:
        connection.request("POST", path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_it_keeps_what_it_accepted_with_ids_and_resource(receiver: OTLPReceiver) -> None:
    assert post(receiver)[0] == 200
    assert post(receiver, path="/otlp/v1/logs", Content_Encoding="gzip")[0] == 200
    assert receiver.span_ids == [f"{number:016x}" for number in range(5)]
    assert receiver.log_bodies == ["0", "1", "2", "3", "4"]
    assert receiver.resources[0].attributes[0].value.string_value == "shop"
    assert [each.path for each in receiver.requests] == ["/v1/traces", "/otlp/v1/logs"]


def test_a_script_is_answered_in_order_and_then_the_default(receiver: OTLPReceiver) -> None:
    receiver.reply(Reply(503, body="later"), Reply(429, headers={"Retry-After": "1"}))
    assert post(receiver) == (503, b"later")
    assert post(receiver)[0] == 429
    assert receiver.spans == []
    assert post(receiver) == (200, b"")
    assert len(receiver.spans) == 5


def test_a_partial_success_keeps_the_rest(receiver: OTLPReceiver) -> None:
    receiver.reply(Reply(rejected=2, message="too old"))
    status, body = post(receiver)
    found = ExportTraceServiceResponse.FromString(body).partial_success
    assert (status, found.rejected_spans, found.error_message) == (200, 2, "too old")
    assert len(receiver.spans) == 3


def test_poison_and_size_spoil_a_request() -> None:
    def is_poison(span: Any) -> bool:
        return bool(span.span_id.endswith(b"\x03"))

    with OTLPReceiver(poison=is_poison, max_body=1000) as receiver:
        assert post(receiver)[0] == 400
        assert post(receiver, range(100, 200))[0] == 413
        assert post(receiver, range(3))[0] == 200
        assert len(receiver.spans) == 3


@pytest.mark.parametrize(
    ("ending", "error"), [("reset", ConnectionResetError), ("shutdown", http.client.IncompleteRead)]
)
def test_an_answer_breaks_off_in_the_middle(ending: Any, error: type[Exception], receiver: OTLPReceiver) -> None:
    receiver.reply(Reply(ending=ending, body="x"))
    with pytest.raises(error):
        post(receiver)
    assert receiver.spans == []


def test_while_it_is_stopped_connections_are_refused_and_its_port_is_kept(receiver: OTLPReceiver) -> None:
    url = receiver.url
    receiver.stop()
    with pytest.raises(ConnectionRefusedError):
        post(receiver)
    receiver.start()
    assert receiver.url == url
    assert post(receiver)[0] == 200


def test_stopping_breaks_open_connections(receiver: OTLPReceiver) -> None:
    host, _, port = receiver.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(b"POST /v1/traces HTTP/1.1\r\ncontent-length: 0\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
        receiver.stop()
        assert connection.recv(1000) == b""
