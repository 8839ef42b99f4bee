"""The dashboard beside global providers, which can be set once a process: what its requests leave in the app's telemetry."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from typing import Any

import pytest

from tests.conftest import ROOT

START = """
import asyncio, json, os
from opentelemetry import metrics, trace
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
metrics.set_meter_provider(MeterProvider([reader]))
"""

ASK = """
from otel_taskflow import TaskAdmin, TaskManager

@app.get("/orders")
async def orders():
    return []

manager = TaskManager(store="memory")
TaskAdmin(app, manager, insecure=True)

async def ask(path):
    started, leaves = [], asyncio.Event()
    waiting = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive():
        if waiting:
            return waiting.pop()
        await leaves.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        if message["type"] == "http.response.start":
            started.append(message["status"])
        elif message.get("body") or not message.get("more_body"):
            leaves.set()

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "state": {},
        "headers": [(b"host", b"localhost")], "client": ("127.0.0.1", 5000), "server": ("localhost", 80),
    }
    await asyncio.wait_for(app(scope, receive, send), 30)
    return started

def served():
    data = reader.get_metrics_data()
    scopes = [scope for each in data.resource_metrics for scope in each.scope_metrics] if data else []
    return [metric.name for scope in scopes for metric in scope.metrics if metric.name.startswith("http.")]

async def look():
    answers = {}
    for path in ("/tasks", "/tasks/dashboard", "/tasks/livez", "/tasks/dashboard/stream"):
        exporter.clear()
        status = await ask(path)
        spans = [
            {"kind": span.kind.name, "is_root": span.parent is None, "trace": span.context.trace_id}
            for span in exporter.get_finished_spans()
        ]
        answers[path] = {"status": status, "spans": spans}
    found = {"answers": answers, "metrics": served()}
    exporter.clear()
    await ask("/orders")
    found["of the app"] = [span.kind.name for span in exporter.get_finished_spans()]
    print(json.dumps(found))

asyncio.run(look())
manager.stop()
"""

CONTRIB = "from fastapi import FastAPI\napp = FastAPI()\nFastAPIInstrumentor.instrument_app(app{})\n"
FOR_ALL_APPS = "FastAPIInstrumentor().instrument()\nimport fastapi\napp = fastapi.FastAPI()\n"
"""As the command ``opentelemetry-instrument`` does it, before anything of the app is imported."""
OF_FASTAPI = "from fastapi import FastAPI\napp = FastAPI(telemetry={})\n"
NAMES = "from otel_taskflow.telemetry.quiet import exclude_dashboard, excluded_urls\n"
NONE = '{"tracing": False, "metrics": False, "logs": False}'

EXCLUDING = {
    "contrib": NAMES + CONTRIB.format(', excluded_urls=excluded_urls("/tasks")'),
    "contrib by variable": CONTRIB.format(""),
    "contrib for all apps by variable": FOR_ALL_APPS,
    "FastAPI's own": NAMES + OF_FASTAPI.format('{"exclude": exclude_dashboard("/tasks")}'),
}
NOT_EXCLUDING = {
    "contrib": CONTRIB.format(""),
    "contrib for all apps": FOR_ALL_APPS,
    "FastAPI's own": OF_FASTAPI.format("{}"),
}
OBSERVES_ITSELF = find_spec("fastapi.telemetry") is not None
"""FastAPI has telemetry of its own from 0.142."""


def look(set_up: str, **environ: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", START + set_up + ASK],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert [answer["status"] for answer in found["answers"].values()] == [[200]] * 4
    return found


def spans_of(found: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    return {path: answer["spans"] for path, answer in found["answers"].items()}


@pytest.mark.parametrize("name", EXCLUDING)
def test_the_dashboard_leaves_nothing_where_it_is_excluded(name: str) -> None:
    found = look(EXCLUDING[name], OTEL_PYTHON_FASTAPI_EXCLUDED_URLS="/tasks(/|[?]|$)" if "variable" in name else "")
    assert [path for path, spans in spans_of(found).items() if spans] == []
    assert found["metrics"] == []
    assert ("SERVER" in found["of the app"]) == (OBSERVES_ITSELF or "contrib" in name)


def test_the_dashboard_of_an_app_without_telemetry_leaves_nothing() -> None:
    found = look(OF_FASTAPI.format(NONE))
    assert [path for path, spans in spans_of(found).items() if spans] == []
    assert (found["metrics"], found["of the app"]) == ([], [])


@pytest.mark.parametrize("name", NOT_EXCLUDING)
def test_a_request_of_the_dashboard_is_one_server_span_and_what_the_instrumentation_hangs_below_it(name: str) -> None:
    if "contrib" not in name and not OBSERVES_ITSELF:
        pytest.skip("FastAPI has telemetry of its own from 0.142")
    for path, spans in spans_of(look(NOT_EXCLUDING[name])).items():
        assert [span["kind"] for span in spans if span["is_root"]] == ["SERVER"], path
        assert [span["kind"] for span in spans].count("SERVER") == 1, path
        assert len({span["trace"] for span in spans}) == 1, path
        assert len(spans) == 1 or "contrib" in name, path
