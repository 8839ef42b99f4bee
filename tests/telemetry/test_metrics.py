"""Metrics: few, without ids, with exemplars."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import warnings
from typing import Any

from opentelemetry.sdk.metrics import AlwaysOnExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from otel_taskflow.errors import SpoolError
from otel_taskflow.model import AttemptOutcome
from otel_taskflow.ports import Watched
from otel_taskflow.telemetry import OpenTelemetry, metrics
from otel_taskflow.telemetry.metrics import BUCKETS
from tests.telemetry.parts import FAILURE, Recorder, enqueued, run, started

NAMES = {
    "messaging.process.duration",
    "messaging.client.sent.messages",
    "messaging.client.consumed.messages",
    "otel_taskflow.queue.wait.duration",
    "otel_taskflow.attempt.active",
    "otel_taskflow.queue.depth",
    "otel_taskflow.task.retries",
    "otel_taskflow.journal.lag",
    "otel_taskflow.export.pending",
    "otel_taskflow.export.dropped",
    "otel_taskflow.dropped",
}


def by_destination(points: list[Any]) -> dict[Any, Any]:
    return {point.attributes["messaging.destination.name"]: point.value for point in points}


def test_each_attempt_is_one_record_in_the_duration_histogram(recorder: Recorder, telemetry: OpenTelemetry) -> None:
    task = enqueued(telemetry)
    run(telemetry, task, outcome=AttemptOutcome.RETRYING, error=FAILURE)
    run(telemetry, task, 1)
    points = recorder.points("messaging.process.duration")
    assert {point.attributes.get("error.type"): (point.count, point.sum) for point in points} == {
        "smtplib.SMTPError": (1, 2.0),
        None: (1, 2.0),
    }
    (good,) = [point for point in points if "error.type" not in point.attributes]
    assert good.explicit_bounds == BUCKETS
    assert dict(good.attributes) == {
        "messaging.system": "otel_taskflow",
        "messaging.destination.name": "send_email",
        "messaging.operation.name": "process",
    }


def test_everything_else_is_counted(recorder: Recorder, telemetry: OpenTelemetry) -> None:
    first, second = enqueued(telemetry, "a"), enqueued(telemetry, "b", "other")
    run(telemetry, first, outcome=AttemptOutcome.RETRYING, error=FAILURE)
    run(telemetry, first, 1)
    started(telemetry, second)
    assert by_destination(recorder.points("messaging.client.sent.messages")) == {"send_email": 1, "other": 1}
    assert by_destination(recorder.points("messaging.client.consumed.messages")) == {"send_email": 2, "other": 1}
    assert by_destination(recorder.points("otel_taskflow.attempt.active")) == {"send_email": 0, "other": 1}
    assert by_destination(recorder.points("otel_taskflow.task.retries")) == {"send_email": 1, "other": 0}
    assert by_destination(recorder.points("otel_taskflow.queue.wait.duration")) == {"send_email": 0.5}


def test_queue_depth_and_journal_lag_are_read_while_they_are_watched(
    recorder: Recorder, telemetry: OpenTelemetry
) -> None:
    stop = telemetry.watch(Watched(lambda: 7, lambda: {"store": 12, "outbox": 3}, dict))
    assert [point.value for point in recorder.points("otel_taskflow.queue.depth")] == [7]
    lags = recorder.points("otel_taskflow.journal.lag")
    assert {point.attributes["otel_taskflow.consumer"]: point.value for point in lags} == {"store": 12, "outbox": 3}
    stop()
    stop()
    assert recorder.points("otel_taskflow.queue.depth") == []


def losses(recorder: Recorder) -> dict[tuple[str, str], int]:
    points = recorder.points("otel_taskflow.dropped")
    assert all(point.attributes["messaging.system"] == "otel_taskflow" for point in points)
    key = ("otel_taskflow.drop.signal", "otel_taskflow.drop.reason")
    return {(point.attributes[key[0]], point.attributes[key[1]]): point.value for point in points}


def test_losses_are_counted_by_signal_and_reason_and_never_go_down(
    recorder: Recorder, telemetry: OpenTelemetry
) -> None:
    lost = {("logs", "journal_budget"): 3, ("events", "observer:bad \ud800 name"): 1}
    stop = telemetry.watch(Watched(lambda: 0, dict, lambda: lost))
    assert losses(recorder) == {("logs", "journal_budget"): 3, ("events", "observer:bad \\ud800 name"): 1}
    lost["logs", "journal_budget"] = 5
    stop()
    stop()
    assert losses(recorder)["logs", "journal_budget"] == 5
    telemetry.watch(Watched(lambda: 0, dict, lambda: {("logs", "journal_budget"): 1}))
    assert losses(recorder)["logs", "journal_budget"] == 6


EXPORT_KEYS = (
    "otel_taskflow.export.destination",
    "otel_taskflow.export.signal",
    "otel_taskflow.drop.reason",
)


def exported(recorder: Recorder, name: str) -> dict[tuple[str, ...], int]:
    points = recorder.points(f"otel_taskflow.export.{name}")
    return {
        tuple(point.attributes[key] for key in EXPORT_KEYS if key in point.attributes): point.value for point in points
    }


def test_what_waits_to_be_sent_and_what_was_lost_of_it_is_reported_by_destination_and_signal(
    recorder: Recorder, telemetry: OpenTelemetry
) -> None:
    pending = {("tempo", "traces"): 4, ("loki", "logs"): 0}
    lost = {("loki", "logs", "disk_budget"): 7}
    telemetry.watch(Watched(lambda: 0, dict, dict, lambda: pending, lambda: lost))
    assert exported(recorder, "pending") == pending
    assert exported(recorder, "dropped") == lost
    lost["loki", "logs", "disk_budget"] = 5
    assert exported(recorder, "dropped") == {("loki", "logs", "disk_budget"): 7}
    lost["loki", "logs", "disk_budget"] = 9
    assert exported(recorder, "dropped") == lost


def test_a_figure_that_cannot_be_read_is_left_out_and_takes_no_other_along(
    recorder: Recorder, telemetry: OpenTelemetry
) -> None:
    def broken() -> dict[tuple[str, str], int]:
        raise SpoolError("the spool is not to be had")

    telemetry.watch(Watched(lambda: 7, dict, dict, broken))
    assert exported(recorder, "pending") == {}
    assert [point.value for point in recorder.points("otel_taskflow.queue.depth")] == [7]
    assert telemetry.mishaps.counts["read a figure"] >= 1


def test_a_forked_child_counts_on_although_a_thread_of_its_parent_was_counting(
    recorder: Recorder, telemetry: OpenTelemetry
) -> None:
    enqueued(telemetry)
    instruments = metrics._by_provider[recorder.meter_provider]
    with instruments._lock, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
        if child == 0:
            signal.alarm(10)
            try:
                enqueued(telemetry)
                os._exit(0)
            finally:
                os._exit(1)
    assert os.waitpid(child, 0)[1] == 0


def test_two_managers_on_one_provider_add_up(recorder: Recorder, telemetry: OpenTelemetry) -> None:
    other = OpenTelemetry(recorder.tracer_provider, recorder.meter_provider)
    enqueued(telemetry)
    enqueued(other)
    assert by_destination(recorder.points("messaging.client.sent.messages")) == {"send_email": 2}


def test_no_metric_has_an_id_a_tag_or_an_extra(recorder: Recorder, telemetry: OpenTelemetry) -> None:
    task = enqueued(telemetry, tags={"shop": "north"}, name="bad \ud800 name")
    lag, lost = {"store": 1}, {("logs", "journal_budget"): 1}
    exported = {("otlp", "logs"): 1}, {("otlp", "logs", "age_limit"): 1}
    telemetry.watch(Watched(lambda: 0, lambda: lag, lambda: lost, lambda: exported[0], lambda: exported[1]))
    run(telemetry, task, outcome=AttemptOutcome.RETRYING, error=FAILURE)
    allowed = {"messaging.system", "messaging.destination.name", "messaging.operation.name", "error.type"}
    allowed |= {"otel_taskflow.drop.signal", "otel_taskflow.drop.reason"}
    allowed |= {"otel_taskflow.consumer", "otel_taskflow.export.destination", "otel_taskflow.export.signal"}
    assert recorder.metric_names() == NAMES
    for name in NAMES:
        for point in recorder.points(name):
            assert set(point.attributes) <= allowed
            assert all(str(value).encode() for value in point.attributes.values())


def test_an_exemplar_carries_the_attempts_trace_and_span_id(recorder: Recorder) -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], exemplar_filter=AlwaysOnExemplarFilter(), shutdown_on_exit=False)
    telemetry = OpenTelemetry(recorder.tracer_provider, provider)
    identity = run(telemetry, enqueued(telemetry))
    data = reader.get_metrics_data()
    assert data is not None
    (exemplar,) = [
        exemplar
        for scope in data.resource_metrics[0].scope_metrics
        for metric in scope.metrics
        if metric.name == "messaging.process.duration"
        for exemplar in metric.data.data_points[0].exemplars
    ]
    assert f"{exemplar.trace_id:032x}" == identity.trace_id
    assert f"{exemplar.span_id:016x}" == identity.span_id


def test_a_manager_that_starts_after_the_global_provider_was_set_counts_with_one_that_started_before() -> None:
    program = """
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from otel_taskflow import TaskManager
def work():
    pass
def use(name, **settings):
    manager = TaskManager(name=name, store="memory", **settings)
    manager.start()
    manager.task(name=name)(work)
    manager.add_task(work)
    manager.drain()
    return manager
managers = [use("early")]
reader = InMemoryMetricReader()
provider = MeterProvider([reader])
metrics.set_meter_provider(provider)
managers += [use("late"), use("given", meter_provider=provider)]
found = [each for one in reader.get_metrics_data().resource_metrics for scope in one.scope_metrics for each in scope.metrics]
(sent,) = [each for each in found if each.name == "messaging.client.sent.messages"]
print(sorted((point.attributes["messaging.destination.name"], point.value) for point in sent.data.data_points))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[('early', 1), ('given', 1), ('late', 1)]\n"
