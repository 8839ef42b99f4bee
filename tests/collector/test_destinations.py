"""What the configured exporters really send, seen by a receiver in the place of the destination."""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from tests.collector.config_files import AWS_KEY, settings
from tests.collector.intake import Intake, running_intake
from tests.collector.process import config_arguments, require_otelcol, running_collector
from tests.collector.signature import signed
from tests.collector.tasks import ORDER, ship_an_order

pytestmark = [pytest.mark.collector, pytest.mark.once]
CALLS = "traces.span.metrics.calls"


class Destination(NamedTuple):
    """An overlay, the paths it posts to (None for a signal that it does not send), and the variables with its address."""

    overlay: str
    traces: str | None
    logs: str | None
    metrics: str | None
    addresses: dict[str, str]


DESTINATIONS = [
    Destination("otlp", "/v1/traces", "/v1/logs", "/v1/metrics", {"OTLP_ENDPOINT": ""}),
    Destination("jaeger", "/v1/traces", None, None, {"JAEGER_ENDPOINT": ""}),
    Destination("datadog-agent", "/v1/traces", "/v1/logs", "/v1/metrics", {"DATADOG_AGENT_ENDPOINT": ""}),
    Destination(
        "grafana-cloud",
        "/otlp/v1/traces",
        "/otlp/v1/logs",
        "/otlp/v1/metrics",
        {"GRAFANA_CLOUD_ENDPOINT": "/otlp"},
    ),
    Destination(
        "cloudwatch",
        "/xray/v1/traces",
        "/logs/v1/logs",
        None,
        {"CLOUDWATCH_LOGS_ENDPOINT": "/logs/v1/logs", "XRAY_ENDPOINT": "/xray/v1/traces"},
    ),
]


class Sent(NamedTuple):
    """One destination and what came to it."""

    to: Destination
    intake: Intake


@pytest.fixture(scope="module", params=DESTINATIONS, ids=lambda each: each.overlay)
def sent(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sent]:
    """The seed example, sent by the exporter through a collector with the overlay."""
    folder = tmp_path_factory.mktemp("destination")
    with running_intake() as intake:
        yield _send(folder, request.param, intake)


def _send(folder: Path, to: Destination, intake: Intake) -> Sent:
    addresses = {name: f"{intake.url}{path}" for name, path in to.addresses.items()}
    variables = {**settings(folder, intake.url), "OTELCOL_SPAN_METRICS_INTERVAL": "1s", **addresses}
    with running_collector(folder, to.overlay, settings=variables) as collector:
        ship_an_order(folder, collector.http_endpoint)
        if to.traces:
            intake.wait_for(lambda: len(intake.spans(str(to.traces))) == 2)
        if to.logs:
            intake.wait_for(lambda: len(intake.log_records(str(to.logs))) == 2)
        if to.metrics:
            intake.wait_for(lambda: CALLS in {metric.name for metric in intake.metrics(str(to.metrics))})
    return Sent(to, intake)


def of_destination(overlay: str) -> Destination:
    return next(each for each in DESTINATIONS if each.overlay == overlay)


def plain(value: AnyValue) -> object:
    return getattr(value, str(value.WhichOneof("value")))


def test_nothing_goes_to_another_path(sent: Sent) -> None:
    assert {request.path for request in sent.intake.requests} == {sent.to.traces, sent.to.logs, sent.to.metrics} - {
        None
    }


def test_it_is_compressed_protobuf(sent: Sent) -> None:
    kinds = {(each.headers["content-type"], each.headers["content-encoding"]) for each in sent.intake.requests}
    assert kinds == {("application/x-protobuf", "gzip")}


def test_the_attempt_arrives_with_its_line_as_an_event(sent: Sent) -> None:
    send, process = sorted(sent.intake.spans(str(sent.to.traces)), key=lambda span: str(span.name), reverse=True)
    assert (send.name, process.name) == ("send ship", "process ship")
    [event] = process.events
    extras = {each.key: plain(each.value) for each in event.attributes}
    assert extras == {"message": "Order shipped", "level": "info", **ORDER}


def test_the_line_arrives_as_a_log_record_of_the_attempt(sent: Sent) -> None:
    if sent.to.logs is None:
        assert not any(request.path.endswith("/v1/logs") for request in sent.intake.requests)
        return
    [line] = [record for record in sent.intake.log_records(sent.to.logs) if not record.event_name]
    [process] = [span for span in sent.intake.spans(str(sent.to.traces)) if span.name == "process ship"]
    assert line.body.string_value == "Order shipped"
    assert (line.trace_id, line.span_id) == (process.trace_id, process.span_id)
    assert {each.key: plain(each.value) for each in line.attributes}.items() >= ORDER.items()


def test_metrics_made_of_the_spans_arrive_where_metrics_go(sent: Sent) -> None:
    if sent.to.metrics is None:
        assert not any(request.path.endswith("/v1/metrics") for request in sent.intake.requests)
        return
    points = [
        point
        for metric in sent.intake.metrics(sent.to.metrics)
        if metric.name == CALLS
        for point in metric.sum.data_points
    ]
    names = {plain(each.value) for point in points for each in point.attributes if each.key == "span.name"}
    assert names
    assert names <= {"send ship", "process ship"}


def test_only_what_needs_it_carries_a_credential(sent: Sent) -> None:
    carries = {"authorization" in request.headers for request in sent.intake.requests}
    assert carries == {sent.to.overlay in ("grafana-cloud", "cloudwatch")}


@pytest.mark.parametrize("sent", [of_destination("grafana-cloud")], indirect=True, ids=["grafana-cloud"])
def test_grafana_cloud_gets_instance_and_token_as_basic_authentication(sent: Sent) -> None:
    expected = base64.b64encode(b"123456:a-token").decode()
    assert {request.headers["authorization"] for request in sent.intake.requests} == {f"Basic {expected}"}


@pytest.mark.parametrize("sent", [of_destination("cloudwatch")], indirect=True, ids=["cloudwatch"])
def test_aws_gets_a_signature_that_holds_for_service_region_and_body(sent: Sent) -> None:
    services = {"/xray/v1/traces": "xray", "/logs/v1/logs": "logs"}
    for request in sent.intake.requests:
        claim = signed(request, AWS_KEY["AWS_SECRET_ACCESS_KEY"])
        assert (claim.key, claim.region) == (AWS_KEY["AWS_ACCESS_KEY_ID"], "eu-central-1")
        assert claim.service == services[request.path]
        assert claim.signature == claim.expected


@pytest.mark.parametrize("sent", [of_destination("cloudwatch")], indirect=True, ids=["cloudwatch"])
def test_cloudwatch_is_told_log_group_and_stream_and_they_are_signed(sent: Sent) -> None:
    for request in sent.intake.of("/logs/v1/logs"):
        assert request.headers["x-aws-log-group"] == "otel-taskflow"
        assert request.headers["x-aws-log-stream"] == "tasks"
        assert {"x-aws-log-group", "x-aws-log-stream"} <= set(signed(request, "").headers)


def test_without_addresses_those_of_the_region_are_used(tmp_path: Path) -> None:
    command = [str(require_otelcol()), "print-config", *config_arguments(("cloudwatch",))]
    environment = {**os.environ, **settings(tmp_path), "AWS_REGION": "ap-southeast-2"}
    shown = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert "https://logs.ap-southeast-2.amazonaws.com/v1/logs" in shown
    assert "https://xray.ap-southeast-2.amazonaws.com/v1/traces" in shown


def test_two_destinations_get_the_same_when_a_pipeline_names_both(tmp_path: Path) -> None:
    both = "yaml:service::pipelines::logs::exporters: [otlp_http/any, otlp_http/datadog_agent]"
    with running_intake() as first, running_intake() as second:
        variables = {**settings(tmp_path, first.url), "DATADOG_AGENT_ENDPOINT": second.url}
        with running_collector(tmp_path, "otlp", "datadog-agent", both, settings=variables) as collector:
            ship_an_order(tmp_path, collector.http_endpoint)
            first.wait_for(lambda: len(first.log_records("/v1/logs")) == 2)
            second.wait_for(lambda: len(second.log_records("/v1/logs")) == 2)
            second.wait_for(lambda: len(second.spans("/v1/traces")) == 2)
    # Lists are replaced: the pipeline that names only the later overlay's exporter sends nothing to the earlier one's.
    assert first.of("/v1/traces") == []


def test_a_key_in_a_header_comes_from_the_environment_as_one_more_config(tmp_path: Path) -> None:
    header = "yaml:exporters::otlp_http/any::headers::api-key: ${env:OTLP_API_KEY}"
    with running_intake() as intake:
        variables = {**settings(tmp_path, intake.url), "OTLP_API_KEY": "a-key"}
        with running_collector(tmp_path, "otlp", header, settings=variables) as collector:
            ship_an_order(tmp_path, collector.http_endpoint)
            intake.wait_for(lambda: intake.of("/v1/logs"))
    assert {request.headers["api-key"] for request in intake.requests} == {"a-key"}
