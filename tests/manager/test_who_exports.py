"""Who exports what tasks say: nothing goes out twice, and nothing never. The table of docs/how-to/durable-export.md."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler

from otel_taskflow import OTLPExporter, TaskManager, task_log
from otel_taskflow.testing.otlp_receiver import OTLPReceiver
from tests.conftest import ROOT
from tests.telemetry.parts import Recorder


class Exported(NamedTuple):
    """Spans and lines of one task with one attempt and one line, by who exported them."""

    app_spans: int = 0
    app_lines: int = 0
    our_spans: int = 0
    our_lines: int = 0


NOBODY = Exported()
APP = Exported(app_spans=2, app_lines=1)
OUTBOX = Exported(our_spans=2, our_lines=1)


@pytest.fixture
def receiver() -> Iterator[OTLPReceiver]:
    with OTLPReceiver() as receiver:
        yield receiver


def run(folder: Path, receiver: OTLPReceiver, app: Recorder | None, exporters: list[OTLPExporter]) -> Exported:
    """One task in a manager with these exporters, and with the app's providers if it has some."""
    providers: dict[str, Any] = {}
    if app is not None:
        providers = {"tracer_provider": app.tracer_provider, "logger_provider": app.logger_provider}
    manager = TaskManager(dir=str(folder), observers=exporters, **providers)

    @manager.task
    def work() -> None:
        task_log("a line")
        with trace.get_tracer("user").start_as_current_span("child"):
            pass

    manager.add_task(work)
    assert manager.drain()
    assert manager.force_flush()
    manager.stop()
    records = [] if app is None else [each.body for each in app.records if each.event_name is None]
    return Exported(
        0 if app is None else len(app.spans),
        len(records),
        len(receiver.span_ids),
        receiver.log_bodies.count("a line"),
    )


@pytest.mark.parametrize(
    ("sampler", "exporter", "expected"),
    [
        pytest.param(None, None, NOBODY, id="no SDK, no exporter"),
        pytest.param(None, {}, OUTBOX, id="no SDK, an exporter"),
        pytest.param(None, {"signals": ("traces",)}, Exported(our_spans=2), id="no SDK, an exporter of traces"),
        pytest.param(None, {"signals": ("logs",)}, Exported(our_lines=1), id="no SDK, an exporter of logs"),
        pytest.param(ALWAYS_ON, None, APP, id="an SDK, no exporter"),
        pytest.param(ALWAYS_ON, {}, Exported(app_spans=2, our_lines=1), id="an SDK, an exporter"),
        pytest.param(ALWAYS_ON, {"signals": ("traces", "logs")}, OUTBOX, id="an SDK, an exporter of both by name"),
        pytest.param(
            ALWAYS_ON, {"signals": ("traces",)}, Exported(our_spans=2, app_lines=1), id="an SDK, an exporter of traces"
        ),
        pytest.param(ALWAYS_OFF, None, Exported(app_lines=1), id="an SDK that samples nothing, no exporter"),
        pytest.param(
            ALWAYS_OFF,
            {"signals": ("traces", "logs")},
            Exported(our_lines=1),
            id="an SDK that samples nothing, an exporter of both",
        ),
    ],
)
def test_everything_is_exported_by_one(
    tmp_path: Path, receiver: OTLPReceiver, sampler: Sampler | None, exporter: dict[str, Any] | None, expected: Exported
) -> None:
    app = None if sampler is None else Recorder(sampler)
    exporters = [] if exporter is None else [OTLPExporter(receiver.url, schedule_delay=0.1, **exporter)]
    assert run(tmp_path, receiver, app, exporters) == expected


def test_two_destinations_get_their_own_signal(tmp_path: Path, receiver: OTLPReceiver) -> None:
    with OTLPReceiver() as loki:
        exporters = [OTLPExporter.tempo(receiver.url), OTLPExporter.loki(loki.url)]
        assert run(tmp_path, receiver, Recorder(), exporters) == Exported(our_spans=2)
        assert (loki.span_ids, loki.log_bodies.count("a line")) == ([], 1)


def test_a_flush_says_false_when_what_it_waited_for_could_not_be_made_into_a_message(
    tmp_path: Path, receiver: OTLPReceiver
) -> None:
    is_flushing = threading.Event()

    def hook(data: Any) -> Any:
        is_flushing.wait(5)
        raise ValueError("no")

    manager = TaskManager(dir=str(tmp_path), observers=[OTLPExporter(receiver.url, before_export=hook)])

    @manager.task
    def work() -> None:
        task_log("a line")

    manager.add_task(work)
    threading.Timer(0.3, is_flushing.set).start()
    assert not manager.force_flush(10)
    assert manager.drain()
    assert manager.force_flush(10), "nothing was lost since"
    manager.stop()


def test_with_the_sdk_disabled_nothing_is_exported(
    tmp_path: Path, receiver: OTLPReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert run(tmp_path, receiver, None, [OTLPExporter(receiver.url)]) == NOBODY


def test_the_environments_sampler_holds_where_the_app_has_no_sdk(
    tmp_path: Path, receiver: OTLPReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    assert run(tmp_path, receiver, None, [OTLPExporter(receiver.url)]) == Exported(our_lines=1)


def test_span_limits_and_resource_of_the_environment_hold_on_the_durable_path(
    tmp_path: Path, receiver: OTLPReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SPAN_EVENT_COUNT_LIMIT", "10")
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "3")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=shop,deployment.environment.name=test")
    manager = TaskManager(dir=str(tmp_path), observers=[OTLPExporter(receiver.url)])

    @manager.task
    def work() -> None:
        for number in range(50):
            task_log(f"line {number}")

    manager.add_task(work)
    assert manager.drain()
    assert manager.force_flush()
    manager.stop()
    (span,) = [each for each in receiver.spans if each.name == "process work"]
    attributes = {pair.key: pair.value for pair in span.attributes}
    assert len(span.events) == 10
    assert attributes["otel_taskflow.log.omitted"].int_value == 40
    assert attributes["messaging.system"].string_value == "ote"
    resources = {pair.key: pair.value.string_value for resource in receiver.resources for pair in resource.attributes}
    assert (resources["service.name"], resources["deployment.environment.name"]) == ("shop", "test")


def test_a_resource_that_json_cannot_hold_is_exported_as_it_is(tmp_path: Path, receiver: OTLPReceiver) -> None:
    told = {"service.name": "caf\udce9", "build.digest": b"\xff\x00", "zones": ["a", "b"]}
    provider = TracerProvider(resource=Resource(told))
    exporter = OTLPExporter(receiver.url, signals=("traces", "logs"))
    manager = TaskManager(dir=str(tmp_path), observers=[exporter], tracer_provider=provider)
    manager.add_task(manager.task(print))
    assert manager.drain()
    assert manager.force_flush()
    manager.stop()
    assert len(receiver.spans) == 2
    (resource,) = {each.SerializeToString(): each for each in receiver.resources}.values()
    values = {pair.key: pair.value for pair in resource.attributes}
    assert values["service.name"].string_value == "caf\\udce9"
    if "build.digest" in provider.resource.attributes:  # older SDKs hold no bytes
        assert values["build.digest"].bytes_value == b"\xff\x00"
    assert [each.string_value for each in values["zones"].array_value.values] == ["a", "b"]


def test_spans_of_the_app_itself_stay_with_the_app(tmp_path: Path, receiver: OTLPReceiver) -> None:
    app = Recorder()
    manager = TaskManager(
        dir=str(tmp_path),
        tracer_provider=app.tracer_provider,
        observers=[OTLPExporter(receiver.url, signals=("traces", "logs"))],
    )
    spans: dict[str, str] = {}

    @manager.task
    def work() -> None:
        with app.tracer.start_as_current_span("child"):
            spans["attempt"] = f"{trace.get_current_span().get_span_context().trace_id:032x}"

    with app.tracer.start_as_current_span("request"):
        manager.add_task(work)
    assert manager.drain()
    assert manager.force_flush()
    manager.stop()
    assert Counter(span.name for span in app.spans) == {"request": 1, "child": 1}
    assert len(receiver.span_ids) == 2
    (trace_id,) = {f"{span.get_span_context().trace_id:032x}" for span in app.spans}
    assert trace_id == spans["attempt"]
    child = app.span("child")
    assert child.parent is not None
    assert f"{child.parent.span_id:016x}" in receiver.span_ids


SETUP = """
import sys
from opentelemetry import trace
from otel_taskflow import TaskManager, setup_telemetry, task_log
telemetry = setup_telemetry(endpoint=sys.argv[1], durable=True)
manager = TaskManager()
@manager.task
def work():
    task_log("a line")
    with trace.get_tracer("user").start_as_current_span("child"):
        pass
with trace.get_tracer("user").start_as_current_span("request"):
    manager.add_task(work)
assert manager.drain()
manager.force_flush()
manager.stop()
print(telemetry.shutdown(10))
"""


def test_setup_telemetry_that_is_durable_leaves_tasks_to_the_outbox(tmp_path: Path, receiver: OTLPReceiver) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", SETUP, receiver.url],
        cwd=tmp_path,
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout.strip()) == (0, "True"), ended.stderr
    assert len(receiver.span_ids) == len(set(receiver.span_ids)) == 4
    assert receiver.log_bodies.count("a line") == 1


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}
