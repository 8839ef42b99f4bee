"""``setup_telemetry`` in processes of its own: it sets globals, and its end is what matters."""

from __future__ import annotations

import signal
import socket
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from otel_taskflow import ConfigurationError, setup_telemetry
from tests.forkserver.client import Forked
from tests.setup import programs
from tests.telemetry.otlp_server import OtlpServer

HAS_ITS_OWN = find_spec("fastapi.telemetry") is not None
"""FastAPI makes server spans by itself from 0.142."""

APP = """
import sys, time, logging
from fastapi import Depends, FastAPI
from otel_taskflow import TaskAdmin, TaskManager, setup_telemetry, task_log
app = FastAPI()
tasks = TaskManager(store="memory")
@tasks.task
async def send_email(to):
    task_log("sending", to=to)
@app.post("/orders")
async def order(t=Depends(tasks.get_tasks)):
    t.add_task(send_email, "ann@example.com")
"""


def start(text: str, *args: str, **environ: str) -> Forked:
    return programs.start(text, *args, **{"OTEL_METRIC_EXPORT_INTERVAL": "600000", **environ})


def run(text: str, *args: str, **environ: str) -> str:
    return programs.run(text, *args, **{"OTEL_METRIC_EXPORT_INTERVAL": "600000", **environ})


def test_traces_logs_and_metrics_of_a_request_and_its_task_arrive() -> None:
    text = (
        APP
        + """
from fastapi.testclient import TestClient
setup = setup_telemetry(app, service_name="shop", endpoint=sys.argv[1], headers={"x-key": "k1"})
TaskAdmin(app, tasks)
with TestClient(app) as client:
    client.post("/orders")
print(setup.is_global, setup.shutdown(5.0), setup.failed_exports)
"""
    )
    with OtlpServer() as server:
        assert run(text, server.url) == "True True 0"
        assert server.paths == {"/v1/traces", "/v1/logs", "/v1/metrics"}
        traces = b"".join(body for path, body, _ in server.received if path == "/v1/traces")
        logs = b"".join(body for path, body, _ in server.received if path == "/v1/logs")
        metrics = b"".join(body for path, body, _ in server.received if path == "/v1/metrics")
        assert all(name in traces for name in (b"send send_email", b"process send_email", b"task.log"))
        assert (b"POST /orders" in traces) == HAS_ITS_OWN
        assert b"sending" in logs
        assert b"messaging.process.duration" in metrics
        assert all(b"shop" in body and headers["x-key"] == "k1" for _, body, headers in server.received)


def test_the_standard_variables_are_honoured() -> None:
    text = """
from otel_taskflow import setup_telemetry
from opentelemetry import trace
setup = setup_telemetry()
trace.get_tracer("app").start_span("mine").end()
print(setup.shutdown(5.0))
"""
    with OtlpServer() as server:
        out = run(
            text,
            OTEL_EXPORTER_OTLP_ENDPOINT=server.url,
            OTEL_EXPORTER_OTLP_HEADERS="x-key=from-env",
            OTEL_SERVICE_NAME="env-shop",
            OTEL_RESOURCE_ATTRIBUTES="team=blue",
        )
        assert out == "True"
        (body, headers) = next((body, headers) for path, body, headers in server.received if path == "/v1/traces")
        assert headers["x-key"] == "from-env"
        assert b"env-shop" in body
        assert b"blue" in body


DEADLINE = """
import sys, time
from otel_taskflow import setup_telemetry
from opentelemetry import trace
setup = setup_telemetry(service_name="shop", endpoint=sys.argv[1])
trace.get_tracer("app").start_span("mine").end()
begun = time.monotonic()
done = setup.shutdown(1.0)
print(done, time.monotonic() - begun < 2.0, setup.shutdown(1.0))
"""


def test_shutdown_keeps_its_deadline_when_the_collector_is_down() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    begun = time.monotonic()
    assert run(DEADLINE, f"http://127.0.0.1:{port}") == "False True False"
    assert time.monotonic() - begun < 15


def test_shutdown_keeps_its_deadline_when_the_collector_hangs() -> None:
    with OtlpServer() as server:
        server.release.clear()
        assert run(DEADLINE, server.url) == "False True False"


def test_shutdown_says_no_when_the_collector_refuses() -> None:
    with OtlpServer(status=400) as server:
        assert run(DEADLINE, server.url) == "False True False"


def test_a_process_that_just_ends_sends_what_is_buffered() -> None:
    text = """
import sys
from otel_taskflow import setup_telemetry
from opentelemetry import trace
setup_telemetry(service_name="shop", endpoint=sys.argv[1])
trace.get_tracer("app").start_span("last words").end()
"""
    with OtlpServer() as server:
        run(text, server.url)
        assert any(b"last words" in body for _path, body, _ in server.received)


@pytest.mark.slow
@pytest.mark.parametrize("order", ["before", "after"])
def test_a_server_ended_by_a_signal_sends_the_last_span_whichever_came_first(order: str) -> None:
    text = (
        APP
        + """
import uvicorn
if sys.argv[2] == "before":
    setup_telemetry(app, service_name="shop", endpoint=sys.argv[1])
TaskAdmin(app, tasks)
if sys.argv[2] == "after":
    setup_telemetry(app, service_name="shop", endpoint=sys.argv[1])
@tasks.task
async def long(seconds):
    import asyncio
    await asyncio.sleep(seconds)
@app.post("/long")
async def start_long(t=Depends(tasks.get_tasks)):
    t.add_task(long, 0.7)
uvicorn.run(app, port=int(sys.argv[3]), log_level="warning")
"""
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with OtlpServer() as server:
        process = start(text, server.url, order, str(port))
        try:
            post_when_up(port, "/long")
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=30)
        finally:
            process.kill()
        traces = b"".join(body for path, body, _ in server.received if path == "/v1/traces")
        assert b"process long" in traces


def post_when_up(port: int, path: str) -> None:
    """POST as soon as somebody listens; the answer comes before the task ends."""
    deadline = time.monotonic() + 20
    while not has_answered(port, path):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def has_answered(port: int, path: str) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n".encode())
            return connection.recv(100).startswith(b"HTTP/1.1 200")
    except ConnectionRefusedError:
        return False


def test_global_providers_that_are_there_already_are_left_alone() -> None:
    text = """
import logging, sys
logging.basicConfig(stream=sys.stdout, format="%(message)s")
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
mine = TracerProvider(shutdown_on_exit=False)
trace.set_tracer_provider(mine)
from otel_taskflow import setup_telemetry
setup = setup_telemetry(service_name="shop", endpoint=sys.argv[1])
print(trace.get_tracer_provider() is mine, setup.is_global, setup.tracer_provider is not mine)
"""
    with OtlpServer() as server:
        out = run(text, server.url)
    assert "found a global tracer provider and left it alone" in out
    assert out.endswith("True False True")


def test_an_endpoint_that_is_no_http_address_is_refused_with_a_remedy() -> None:
    with pytest.raises(ConfigurationError, match=r"localhost:4317.*must be an http address"):
        setup_telemetry(endpoint="localhost:4317")


@pytest.mark.parametrize("endpoint", ["http://", "http://h:99999", "http://h:abc", "https://h/#here"])
@pytest.mark.parametrize("durable", [False, True])
def test_an_address_without_host_or_with_an_impossible_port_is_refused(endpoint: str, durable: bool) -> None:
    with pytest.raises(ConfigurationError, match=r"endpoint.*(use|leave out)"):
        setup_telemetry(endpoint=endpoint, durable=durable)


REFUSED = """
import logging, sys, threading
from fastapi import FastAPI
from fastapi.testclient import TestClient
from opentelemetry import _logs, metrics, trace
from otel_taskflow import ConfigurationError, setup_telemetry
def started():
    app = FastAPI()
    with TestClient(app):
        return app
before = threading.active_count()
try:
    setup_telemetry({arguments})
except ConfigurationError as error:
    print(error)
globals_ = trace.get_tracer_provider(), metrics.get_meter_provider(), _logs.get_logger_provider()
print(["Proxy" in type(each).__name__ for each in globals_], threading.active_count() - before)
"""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ('"shop"', "needs a FastAPI or Starlette app"),
        ("FastAPI", "needs a FastAPI or Starlette app"),
        ("started()", "came after the app had started"),
        ("service_name=5", "service_name=5 must be a text"),
        ("endpoint=4318", "endpoint=4318: use the base address"),
        ('headers={"x": 1}', "setup_telemetry(headers): the value of 'x' must be text"),
        ('headers={"x": " k1"}', "setup_telemetry(headers): the value of 'x' must be text"),
        ('headers={"x": "k1\\n"}', "setup_telemetry(headers): the value of 'x' must be text"),
        ('headers="x=1"', "setup_telemetry(headers): a str cannot be used; give a dict"),
        ('resource_attributes="x=y"', "resource_attributes='x=y' cannot be used; give a dict"),
        ('resource_attributes={1: "y"}', "resource_attributes: 1 is no name of an attribute; give a dict"),
        ('durable="no"', "durable='no' must be True or False"),
    ],
)
def test_a_call_that_is_refused_says_what_and_leaves_nothing_behind(arguments: str, says: str) -> None:
    message, left = run(REFUSED.format(arguments=arguments)).splitlines()
    assert says in message
    assert left == "[True, True, True] 0"


def test_a_variable_that_the_exporters_refuse_leaves_nothing_behind(tmp_path: Path) -> None:
    text = REFUSED.replace("ConfigurationError as error", "RuntimeError as error").format(arguments="durable=True")
    folder = tmp_path / "tasks"
    provider = {"OTEL_PYTHON_EXPORTER_OTLP_HTTP_METRICS_CREDENTIAL_PROVIDER": "missing"}
    message, left = run(text, **provider, OTEL_TASKFLOW_DIR=str(folder)).splitlines()
    assert "'missing' not found" in message
    assert left == "[True, True, True] 0"
    assert not folder.exists()


def test_a_password_in_an_endpoint_that_is_refused_is_not_shown() -> None:
    with pytest.raises(ConfigurationError) as refused:
        setup_telemetry(endpoint="ftp://ann:s3cret@collector")
    assert "s3cret" not in str(refused.value)


def test_a_header_beyond_latin_1_arrives_as_utf_8() -> None:
    text = """
import sys
from otel_taskflow import setup_telemetry
setup = setup_telemetry(endpoint=sys.argv[1], headers={"x-team": "Łódź"})
setup.tracer_provider.get_tracer("app").start_span("mine").end()
print(setup.shutdown(5.0))
"""
    with OtlpServer() as server:
        assert run(text, server.url) == "True"
        sent = {headers["x-team"].encode("latin-1").decode() for _path, _body, headers in server.received}
    assert sent == {"Łódź"}


def test_in_hermetic_tests_the_providers_export_nothing() -> None:
    text = (
        APP
        + """
from fastapi.testclient import TestClient
setup = setup_telemetry(app, service_name="shop", endpoint=sys.argv[1])
TaskAdmin(app, tasks)
with TestClient(app) as client:
    client.post("/orders")
print(setup.is_global, setup.shutdown(5.0), setup.failed_exports)
"""
    )
    with OtlpServer() as server:
        assert run(text, server.url, OTEL_TASKFLOW_TESTING="1") == "True True 0"
        assert server.received == []


@pytest.mark.parametrize(
    ("environment", "given", "expected"), [("pod-7", "", "pod-7"), ("pod-7", "mine", "mine"), ("", "", None)]
)
def test_the_instance_of_the_environment_is_kept(
    monkeypatch: pytest.MonkeyPatch, environment: str, given: str, expected: str | None
) -> None:
    if environment:
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", f"service.instance.id={environment},team=a%20b")
    more = {"service.instance.id": given} if given else {}
    text = f"""
from otel_taskflow import setup_telemetry
print(setup_telemetry(resource_attributes={more!r}).tracer_provider.resource.attributes["service.instance.id"], end="")
import os, sys
sys.stdout.flush()
os._exit(0)
"""
    said, _ = start(text).communicate(timeout=30)
    assert said == expected if expected is not None else len(said) == 36
