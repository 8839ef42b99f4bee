"""Every PromQL and LogQL query of grafana/ and its docs has an answer, when the shop has run against a real Prometheus and Loki."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.backends.kept import Attempt
from tests.backends.loki import running_loki
from tests.backends.prometheus import running_prometheus
from tests.backends.stack import OVERLAYS, Stack, fill, wait_until
from tests.collector.process import free_ports, running_collector
from tests.grafana.queries import VALUES, Query, all_queries

pytestmark = [pytest.mark.backends, pytest.mark.timeout(300)]
EACH_SECOND = {"OTEL_METRIC_EXPORT_INTERVAL": "1000", "OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED": "true"}
METRIC = re.compile(r"\b(?:up|(?:traces|otel|otelcol|messaging)_\w+)(?=\{)")
GROUPING = re.compile(r"by \(([^)]*)\)")
MATCHER = re.compile(r"(\w+)(?:=~|!=|=)\"")
NOT_HERE = re.compile(r"otelcol_exporter_(send|enqueue)_failed_\w+|otel_sdk_\w+_log_\w+")
"""Nothing is lost here, and the shop has no log records but its lines, which its OTLPExporter sends."""
LAST_OF_THE_COLLECTOR = 'otelcol_exporter_sent_metric_points{job="otelcol"}'
ORDERS = 300


@dataclass(frozen=True)
class Filled:
    """The programs, when it began, and the trace of a failed attempt."""

    stack: Stack
    begin: float
    trace_id: str

    def ask(self, query: Query) -> list[float]:
        """All numbers that the back end answers, or a 1 for each log line."""
        text = query.text.replace(VALUES["__trace.traceId"], self.trace_id)
        if query.language == "logql" and not text.startswith("sum"):
            return [1.0 for _ in self.stack.loki.lines(text)]
        return self._range(text, query) if not query.is_instant else self._now(text)

    def _now(self, text: str) -> list[float]:
        return [sample.value for sample in self.stack.prometheus.samples(text)]

    def _range(self, text: str, query: Query) -> list[float]:
        program, path = {
            "promql": (self.stack.prometheus, "/api/v1/query_range"),
            "logql": (self.stack.loki, "/loki/api/v1/query_range"),
        }[query.language]
        asked = {"query": text, "start": str(self.begin), "end": str(time.time()), "step": "1"}
        found = program.get(path, asked)["data"]["result"]
        return [float(value) for series in found for _, value in series["values"]]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    """The shop's metrics come each second here, so that there are rates; one of its processes was killed, one ended well."""
    folder = tmp_path_factory.mktemp("grafana")
    (metrics_port,) = free_ports(1)
    begin = time.time()
    with ExitStack() as programs:
        loki = programs.enter_context(running_loki(folder))
        targets = {"otelcol:8888": f"127.0.0.1:{metrics_port}"}
        prometheus = programs.enter_context(running_prometheus(folder, targets=targets, evaluation="1s"))
        settings = {
            "LOKI_ENDPOINT": loki.otlp_endpoint,
            "PROMETHEUS_ENDPOINT": prometheus.otlp_endpoint,
            "TEMPO_ENDPOINT": programs.enter_context(running_collector(folder_of(folder, "tempo"))).http_endpoint,
            "OTELCOL_SPAN_METRICS_INTERVAL": "1s",
            "OTELCOL_METRICS_PORT": str(metrics_port),
        }
        collector = programs.enter_context(running_collector(folder, *OVERLAYS, settings=settings))
        stack = Stack(collector, loki, prometheus, folder)
        trade(stack)
        failed = next(attempt for attempt in stack.kept().attempts if attempt.error_type)
        yield Filled(stack, begin, failed.trace_id)


def folder_of(folder: Path, name: str) -> Path:
    """A folder for a second collector, which takes the traces in Tempo's place."""
    (folder / name).mkdir()
    return folder / name


def trade(stack: Stack) -> None:
    """Fill it, and wait: Prometheus asks the collector and Loki some seconds after its own start, and a rate needs two answers."""
    assert wait_until(lambda: stack.prometheus.number('up{job="otelcol"}') == 1)
    fill(stack, ORDERS, settings=EACH_SECOND)
    assert wait_until(lambda: stack.prometheus.number(f"min(count_over_time({LAST_OF_THE_COLLECTOR}[1m]))") >= 2)


def test_every_query_has_an_answer(filled: Filled) -> None:
    queries = [query for query in all_queries() if query.language != "traceql" and "alert" not in query.where]
    assert len(queries) > 60
    silent = [str(query) for query in queries if not any(map(math.isfinite, filled.ask(query)))]
    assert silent == []


def test_every_metric_of_a_query_is_one_that_is_really_there(filled: Filled) -> None:
    asked = {name for query in all_queries() if query.language == "promql" for name in METRIC.findall(query.text)}
    assert len(asked) > 30
    known = set(filled.stack.prometheus.get("/api/v1/label/__name__/values", {})["data"])
    assert [name for name in asked - known if not NOT_HERE.fullmatch(name)] == []


def test_every_label_of_a_query_is_one_that_is_really_there(filled: Filled) -> None:
    texts = [query.text for query in all_queries() if query.language == "promql"]
    grouped = {name for text in texts for names in GROUPING.findall(text) for name in re.findall(r"\w+", names)}
    matched = {name for text in texts for name in MATCHER.findall(text)}
    known = set(filled.stack.prometheus.get("/api/v1/labels", {})["data"])
    assert (grouped | matched) - known == set()


def test_no_answer_about_an_app_tells_its_processes_or_collectors_apart(filled: Filled) -> None:
    instances = {series["instance"] for series in filled.stack.prometheus.series("otel_taskflow_queue_depth")}
    assert len(instances) == 2
    queries = [query for query in all_queries() if query.language == "promql" and "variable" not in query.where]
    about_apps = [query for query in queries if 'job="otelcol"' not in query.text]
    for query in about_apps:
        for sample in filled.stack.prometheus.samples(query.text):
            assert not {"instance", "collector_instance_id"} & set(sample.labels), str(query)


def test_an_exemplar_and_a_log_line_carry_what_the_data_sources_link_by(filled: Filled) -> None:
    traces = {attempt.trace_id for attempt in filled.stack.kept().attempts}
    exemplars = filled.stack.prometheus.exemplars("messaging_process_duration_seconds_bucket")
    assert exemplars
    assert {exemplar["labels"]["trace_id"] for exemplar in exemplars} <= traces
    (line, *_) = filled.stack.loki.lines('{service_name="shop"} | severity_text="ERROR"')
    assert line.metadata["trace_id"] in traces
    assert line.metadata["otel_taskflow_task_id"] in filled.stack.kept().tasks


def test_the_table_of_failing_tasks_names_those_that_failed_in_the_store(filled: Filled) -> None:
    (table,) = [query for query in all_queries() if "topk(" in query.text]
    found = {
        (sample.labels["messaging_destination_name"], sample.labels["error_type"])
        for sample in filled.stack.prometheus.samples(table.text)
    }
    attempts = filled.stack.kept().attempts
    assert found == {
        (attempt.task, attempt.error_type or attempt.outcome) for attempt in attempts if is_failure(attempt)
    }


def is_failure(attempt: Attempt) -> bool:
    return attempt.outcome not in {"succeeded", "cancelled"}
