"""overlays/tail-sampling.yaml: traces with a task that went wrong, again or slowly are kept whole, and a part of the rest."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from otel_taskflow import TaskManager, task_log
from tests.collector import otlp_file
from tests.collector.intake import running_intake
from tests.collector.otlp_file import LogRecord, Span
from tests.collector.process import EXACT_COUNTS, Collector, running_collector
from tests.collector.tasks import exporter, failing_once, managed

pytestmark = [pytest.mark.collector, pytest.mark.once]
ORDINARY = 400
SLOW_MS = 300
SETTINGS = {"TAIL_SAMPLING_WAIT": "3s", "TAIL_SAMPLING_SLOW_MS": str(SLOW_MS), "OTELCOL_SPAN_METRICS_INTERVAL": "1s"}


class Result(NamedTuple):
    """What left the collector."""

    spans: list[Span]
    records: list[LogRecord]
    calls: Mapping[str, int]


@pytest.fixture(scope="module", params=[(), (EXACT_COUNTS,)], ids=["base", "exact"])
def result(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Result:
    folder = tmp_path_factory.mktemp("sampling")
    with running_collector(folder, *request.param, "file", "tail-sampling", settings=SETTINGS) as collector:
        output = collector.output
        _run_tasks(folder, collector.http_endpoint)
        wait_until_all_is_decided(collector)
        collector.wait_until(lambda: calls(output)["process ordinary"] == ORDINARY)
    return Result(otlp_file.spans(output), otlp_file.log_records(output), calls(output))


def _run_tasks(folder: Path, endpoint: str) -> None:
    provider = tracer_provider(endpoint)
    with managed(folder, exporter(endpoint), trace_mode="link", tracer_provider=provider) as manager:
        _add_tasks(manager, provider.get_tracer("shop"))
    provider.shutdown()


def tracer_provider(endpoint: str) -> TracerProvider:
    """The app's own spans go through the SDK; those of tasks through our exporter."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{endpoint}/v1/traces")))
    return provider


def wait_until_all_is_decided(collector: Collector) -> None:
    """Traces are decided in the order of their first spans: send one more that is kept, and wait for it."""
    provider = tracer_provider(collector.http_endpoint)
    span = provider.get_tracer("shop").start_span("last")
    span.set_status(trace.StatusCode.ERROR)
    span.end()
    collector.wait_until(lambda: "last" in names(otlp_file.spans(collector.output)), 60)
    provider.shutdown()


def _add_tasks(manager: TaskManager, tracer: trace.Tracer) -> None:
    def ordinary() -> None:
        task_log("fine")

    def fails() -> None:
        with tracer.start_as_current_span("inside"):
            raise ValueError("no")

    def slow() -> None:
        with tracer.start_as_current_span("inside"):
            time.sleep(SLOW_MS / 1000 + 0.1)

    def complains() -> None:
        with tracer.start_as_current_span("inside"):
            task_log("not good", level="error")

    functions = [fails, slow, complains, *[ordinary] * ORDINARY]
    tasks = {function: manager.task(function) for function in dict.fromkeys(functions)}
    for function in functions:
        manager.add_task(tasks[function])
    manager.add_task(manager.task(retries=1, delay=0.0)(failing_once(lambda: ValueError("once"))))


def calls(path: Path) -> Mapping[str, int]:
    """How many spans of each name the metrics made of spans have counted, by the last value of each series."""
    series = {
        json.dumps(point["attributes"], sort_keys=True): (
            point["attributes"],
            int(point.get("asInt", point.get("asDouble"))),
        )
        for document in otlp_file.documents(path)
        for point in _points(document)
    }
    counted: Counter[str] = Counter()
    for attributes, count in series.values():
        counted[otlp_file.attributes(attributes)["span.name"]] += count
    return counted


def _points(document: Any) -> Iterator[Any]:
    scopes = [scope for resource in document.get("resourceMetrics", ()) for scope in resource["scopeMetrics"]]
    metrics = [metric for scope in scopes for metric in scope["metrics"]]
    for metric in metrics:
        if metric["name"] == "traces.span.metrics.calls":
            yield from metric["sum"]["dataPoints"]


def names(spans: list[Span]) -> set[str]:
    return {span.name for span in spans}


def names_by_trace(spans: list[Span]) -> dict[str, list[str]]:
    traces = {span.trace_id for span in spans}
    return {each: sorted(span.name for span in spans if span.trace_id == each) for each in traces}


@pytest.mark.parametrize("task", ["fails", "slow", "complains"])
def test_a_task_that_failed_was_slow_or_logged_an_error_keeps_its_whole_trace(result: Result, task: str) -> None:
    [attempt] = [span for span in result.spans if span.name == f"process {task}"]
    assert names_by_trace(result.spans)[attempt.trace_id] == ["inside", f"process {task}"]


def test_both_attempts_of_a_task_that_was_retried_are_kept_and_linked(result: Result) -> None:
    attempts = {
        span.attributes["otel_taskflow.attempt.number"]: span for span in result.spans if span.name == "process flaky"
    }
    first, second = attempts[1], attempts[2]
    assert (first.status, second.status) == ("ERROR", "UNSET")
    [link] = [each for each in second.links if each.attributes["otel_taskflow.link.type"] == "previous_attempt"]
    assert (link.trace_id, link.span_id) == (first.trace_id, first.span_id)
    assert first.trace_id != second.trace_id


def test_of_the_rest_a_tenth_is_kept(result: Result) -> None:
    kept = Counter(span.name for span in result.spans)["process ordinary"]
    assert ORDINARY * 0.02 < kept < ORDINARY * 0.25


def test_log_records_are_all_kept(result: Result) -> None:
    assert Counter(record.body for record in result.records)["fine"] == ORDINARY


def test_metrics_made_of_spans_count_what_was_not_kept_too(result: Result) -> None:
    assert result.calls["process ordinary"] == ORDINARY
    assert result.calls["process flaky"] == 2


def test_what_is_undecided_when_the_collector_ends_is_decided_then_and_waits_on_disk(tmp_path: Path) -> None:
    expected = {"process fails", "process flaky", "process complains", "inside"}
    with running_intake() as intake:
        variables = {"OTLP_ENDPOINT": intake.url, "TAIL_SAMPLING_WAIT": "300s"}
        with running_collector(tmp_path, "otlp", "tail-sampling", settings=variables) as collector:
            _run_tasks(tmp_path, collector.http_endpoint)
            assert intake.of("/v1/traces") == []
            collector.stop()
            collector.start()  # sends what the end left in the queue
            intake.wait_for(lambda: expected <= {span.name for span in intake.spans("/v1/traces")})


@pytest.mark.slow
@pytest.mark.parametrize(("trace_mode", "is_kept"), [("link", True), ("child", False)])
def test_a_failure_long_after_its_request_is_kept_only_where_the_attempt_has_a_trace_of_its_own(
    trace_mode: str, is_kept: bool, tmp_path: Path
) -> None:
    settings = {"TAIL_SAMPLING_WAIT": "1s", "TAIL_SAMPLING_PERCENTAGE": "0"}
    with running_collector(tmp_path, "file", "tail-sampling", settings=settings) as collector:
        _fail_late(tmp_path, collector.http_endpoint, trace_mode)
        wait_until_all_is_decided(collector)
    assert names(otlp_file.spans(collector.output)) - {"last"} == ({"process late"} if is_kept else set())
    assert "messaging.process.exception" in {record.event_name for record in otlp_file.log_records(collector.output)}


def _fail_late(folder: Path, endpoint: str, trace_mode: str) -> None:
    provider = tracer_provider(endpoint)
    with managed(folder, exporter(endpoint), trace_mode=trace_mode, tracer_provider=provider) as manager:

        @manager.task
        def late() -> None:
            time.sleep(4)
            raise ValueError("too late")

        with provider.get_tracer("shop").start_as_current_span("request"):
            manager.add_task(late)
    provider.shutdown()
