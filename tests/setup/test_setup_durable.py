"""``setup_telemetry(durable=True)``: spans and logs by way of the disk, metrics as ever."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from otel_taskflow.testing.otlp_receiver import OTLPReceiver, Reply
from tests.setup.programs import run

QUIET = {"OTEL_METRIC_EXPORT_INTERVAL": "600000"}

START = """
import os, sys, time
from opentelemetry import _logs, metrics, trace
from otel_taskflow import setup_telemetry
from otel_taskflow.setup.ownership import durable_destinations
setup = setup_telemetry(service_name="shop", endpoint=sys.argv[1], headers={"x-key": "k1"}, durable=True)
tracer = trace.get_tracer("app")
"""


def environment(folder: Path) -> dict[str, str]:
    return {**QUIET, "OTEL_TASKFLOW_DIR": str(folder)}


def test_all_three_signals_arrive_and_spans_and_logs_came_by_the_disk(tmp_path: Path) -> None:
    text = (
        START
        + """
tracer.start_span("mine").end()
_logs.get_logger("app").emit(body="line")
metrics.get_meter("app").create_counter("things").add(1)
print(setup.is_global, os.listdir(os.environ["OTEL_TASKFLOW_DIR"] + "/journal") != [], setup.flush(10))
print([each.name for each in durable_destinations()], setup.shutdown(10), durable_destinations(), setup.failed_exports)
"""
    )
    with OTLPReceiver() as receiver:
        out = run(text, receiver.url, **environment(tmp_path))
        assert out.split("\n") == ["True True True", "['setup_telemetry'] True () 0"]
        assert [each.name for each in receiver.spans] == ["mine"]
        assert receiver.log_bodies == ["line"]
        assert {each.path for each in receiver.requests} == {"/v1/traces", "/v1/logs", "/v1/metrics"}
        assert all(each.headers["x-key"] == "k1" and b"shop" in each.body for each in receiver.requests if each.body)


def test_a_process_that_just_ends_delivers_and_one_that_is_killed_leaves_it_to_the_next(tmp_path: Path) -> None:
    with OTLPReceiver() as receiver:
        run(START + "tracer.start_span('last words').end()", receiver.url, **environment(tmp_path))
        assert [each.name for each in receiver.spans] == ["last words"]
        killed = START + "tracer.start_span('cut off').end()\nif os.fork() == 0: os._exit(0)\nos._exit(0)"
        run(killed, receiver.url, **environment(tmp_path))
        assert run(START + "print(setup.flush(20))", receiver.url, **environment(tmp_path)) == "True"
        assert [each.name for each in receiver.spans] == ["last words", "cut off"]


def test_a_shutdown_that_delivers_nothing_says_so_in_time_and_loses_nothing(tmp_path: Path) -> None:
    text = (
        START
        + """
tracer.start_span("kept").end()
begun = time.monotonic()
print(setup.shutdown(1.0), time.monotonic() - begun < 2.0, setup.shutdown(1.0))
"""
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert run(text, f"http://127.0.0.1:{port}", **environment(tmp_path)) == "False True False"
    with OTLPReceiver(port=port) as receiver:
        receiver.default = Reply(delay=5, keeps=False)
        assert run(text, receiver.url, **environment(tmp_path)) == "False True False"
    with OTLPReceiver(port=port) as receiver:
        assert run(START + "print(setup.flush(20))", receiver.url, **environment(tmp_path)) == "True"
        assert [each.name for each in receiver.spans] == ["kept", "kept"]


def test_a_server_that_ends_delivers_the_spans_of_its_tasks(tmp_path: Path) -> None:
    text = """
import sys
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from otel_taskflow import TaskAdmin, TaskManager, setup_telemetry, task_log
app = FastAPI()
tasks = TaskManager(store="memory")
@tasks.task
async def send_email(to):
    task_log("sending", to=to)
@app.post("/orders")
async def order(t=Depends(tasks.get_tasks)):
    t.add_task(send_email, "ann@example.com")
setup = setup_telemetry(app, service_name="shop", endpoint=sys.argv[1], durable=True)
TaskAdmin(app, tasks)
with TestClient(app) as client:
    client.post("/orders")
import os
os._exit(0)
"""
    with OTLPReceiver() as receiver:
        run(text, receiver.url, **environment(tmp_path))
        assert {"send send_email", "process send_email"} <= {each.name for each in receiver.spans}
        assert "sending" in receiver.log_bodies


def test_an_app_does_not_wait_at_its_end_for_a_collector_that_is_known_to_be_away(tmp_path: Path) -> None:
    text = (
        START
        + """
tracer.start_span("kept").end()
setup.flush(1.0)
begun = time.monotonic()
print(setup.flush_at_end(), time.monotonic() - begun < 2.5)
"""
    )
    with OTLPReceiver() as receiver:
        receiver.default = Reply(503)
        assert run(text, receiver.url, **environment(tmp_path)) == "False True"


def test_without_durable_nothing_is_written(tmp_path: Path) -> None:
    with OTLPReceiver() as receiver:
        run(START.replace("durable=True", "durable=False"), receiver.url, **environment(tmp_path / "buffer"))
    assert not (tmp_path / "buffer").exists()


def test_the_metrics_of_its_destination_are_there_once_however_many_managers_there_are(tmp_path: Path) -> None:
    text = (
        START
        + """
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from otel_taskflow import TaskManager
time.sleep(1.2)  # its own sender holds the lock
reader = InMemoryMetricReader()
provider = MeterProvider([reader])
managers = [TaskManager(name=name, meter_provider=provider) for name in "ab"]
for manager in managers:
    manager.start()
for _ in range(3):
    tracer.start_span("waits").end()
def points(name):
    data = reader.get_metrics_data()
    found = [each for one in data.resource_metrics for scope in one.scope_metrics for each in scope.metrics]
    return [point for each in found if each.name == name for point in each.data.data_points]
def pending():
    found = {point.attributes["otel_taskflow.export.signal"]: point.value for point in points("otel_taskflow.export.pending")}
    return found.get("traces")
deadline = time.monotonic() + 10
while pending() != 3 and time.monotonic() < deadline:
    time.sleep(0.05)
print(pending(), {point.attributes["otel_taskflow.export.destination"] for point in points("otel_taskflow.export.dropped")})
os._exit(0)
"""
    )
    with OTLPReceiver() as receiver:
        receiver.default = Reply(503)
        assert run(text, receiver.url, **environment(tmp_path)) == "3 {'setup_telemetry'}"


TASK = """
from otel_taskflow import OTLPExporter, TaskManager, task_log
manager = TaskManager(observers=exporters)
@manager.task
def work(seconds):
    task_log("a line")
    time.sleep(seconds)
manager.start()
"""


@pytest.mark.parametrize(
    ("exporter", "theirs"),
    [("OTLPExporter.loki", "lines"), ("OTLPExporter.tempo", "spans"), ("OTLPExporter", "lines")],
)
def test_its_destination_gets_tasks_also_beside_an_exporter_and_those_of_a_process_that_died(
    tmp_path: Path, exporter: str, theirs: str
) -> None:
    text = f"{START}from otel_taskflow import OTLPExporter\nexporters = [{exporter}(sys.argv[2])]\n{TASK}"
    with OTLPReceiver() as receiver, OTLPReceiver() as other:
        killed = "manager.add_task(work, 60)\ntime.sleep(1)\nos.kill(os.getpid(), 9)"
        with pytest.raises(AssertionError):
            run(text + killed, receiver.url, other.url, **environment(tmp_path))
        ended = "time.sleep(1)\nprint(manager.drain(), manager.force_flush(10), setup.flush(10))"
        assert run(text + ended, receiver.url, other.url, **environment(tmp_path)) == "True True True"
        names = ["process work", "send work"]
        assert sorted(each.name for each in receiver.spans) == names
        assert receiver.log_bodies.count("a line") == 1
        assert sorted(each.name for each in other.spans) == (names if theirs == "spans" else [])
        assert other.log_bodies.count("a line") == (1 if theirs == "lines" else 0)


def test_what_an_exporter_sends_to_the_same_receiver_is_not_sent_there_twice(tmp_path: Path) -> None:
    exporters = """
from otel_taskflow import OTLPExporter
exporters = [OTLPExporter(sys.argv[1], headers={"x-key": "k1"}, signals=("traces", "logs"))]
"""
    work = "manager.add_task(work, 0)\nprint(manager.drain(), manager.force_flush(10), setup.flush(10))"
    with OTLPReceiver() as receiver:
        assert run(START + exporters + TASK + work, receiver.url, **environment(tmp_path)) == "True True True"
        assert sorted(each.name for each in receiver.spans) == ["process work", "send work"]
        assert receiver.log_bodies.count("a line") == 1


def test_beside_a_global_tracer_provider_spans_of_tasks_stay_with_that(tmp_path: Path) -> None:
    theirs = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
kept = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(kept))
trace.set_tracer_provider(provider)
exporters = []
"""
    work = """
manager.add_task(work, 0)
print(setup.is_global, manager.drain(), manager.force_flush(10), setup.flush(10))
print(sorted(each.name for each in kept.get_finished_spans()))
manager.stop()
handed_on = TaskManager(tracer_provider=setup.tracer_provider)
handed_on.start()
handed_on.task(name="handed_on")(work)
handed_on.add_task(work, 0)
print(handed_on.drain(), handed_on.force_flush(10))
"""
    with OTLPReceiver() as receiver:
        said = run(theirs + START + TASK + work, receiver.url, **environment(tmp_path))
        assert said.split("\n") == ["False True True True", "['process work', 'send work']", "True True"]
        assert sorted(each.name for each in receiver.spans) == ["process handed_on", "send handed_on"]
        assert receiver.log_bodies.count("a line") == 2, "the logger provider was free"
