"""``TaskManager.health()``: whatever is running, and nothing."""

from __future__ import annotations

import logging
import os
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from otel_taskflow import OTLPExporter, TaskManager, task_log
from otel_taskflow.errors import StoreError
from otel_taskflow.health import DEGRADED, FAILED, OK, HealthReport, PartHealth
from otel_taskflow.stores.opening import open_store
from otel_taskflow.testing.otlp_receiver import OTLPReceiver


def say(lines: int) -> None:
    for number in range(lines):
        task_log(f"line {number}")


def wait_until(condition: Callable[[], bool], timeout: float = 15.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def part(report: HealthReport, name: str) -> PartHealth:
    return next(each for each in report.parts if each.part == name)


def test_health_starts_nothing_and_says_that_nothing_is_started(tmp_path: Path) -> None:
    manager = TaskManager(dir=tmp_path / "none")
    report = manager.health()
    assert (report.state, [each.part for each in report.parts], manager.is_ready) == (FAILED, ["manager"], False)
    assert not (tmp_path / "none").exists()
    assert TaskManager(disabled=True).health().state == OK


def test_a_started_manager_tells_all_its_parts(tmp_path: Path) -> None:
    manager = TaskManager(dir=tmp_path, observers=[OTLPExporter("http://127.0.0.1:9", name="away")])
    manager.start()
    report = manager.health()
    assert (report.state, manager.is_ready) == (OK, True)
    assert [each.part for each in report.parts] == [
        "manager",
        "journal",
        "store",
        "consumer:store",
        "consumer:outbox",
        "spool",
        "destination:away",
        "takeover",
        "telemetry",
    ]
    manager.close(grace=0)
    assert (manager.health().state, manager.is_ready) == (FAILED, False)


def test_a_forked_child_has_not_started_anything_yet(tmp_path: Path) -> None:
    manager = TaskManager(dir=tmp_path)
    manager.start()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        os._exit(0 if manager.health().state == FAILED and not manager.is_ready else 1)
    assert os.waitpid(child, 0)[1] == 0
    manager.close()


def test_a_destination_that_goes_and_comes_is_told_with_figures_lines_and_metrics(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "otel_taskflow")
    reader = InMemoryMetricReader()
    with OTLPReceiver() as receiver:
        receiver.stop()
        exporter = OTLPExporter(receiver.url, name="collector", schedule_delay=0.0)
        meters = MeterProvider([reader], shutdown_on_exit=False)
        manager = TaskManager(dir=tmp_path, observers=[exporter], meter_provider=meters)
        manager.add_task(say, 10)
        manager.drain()
        for signal in ("logs", "traces"):
            wait_until(
                lambda s=signal: part(manager.health(), "destination:collector").figures[f"{s}.state"] == DEGRADED
            )
        assert manager.health().state == DEGRADED
        away = part(manager.health(), "destination:collector")
        assert away.figures["logs.backlog"] == 11
        assert "Connection refused" in str(away.figures["logs.last_error"])
        assert points(reader, "otel_taskflow.export.pending") == {("collector", "logs"): 11, ("collector", "traces"): 2}
        receiver.start()
        wait_until(lambda: manager.health().state == OK, 30)
        wait_until(lambda: part(manager.health(), "destination:collector").figures["logs.backlog"] == 0)
        assert points(reader, "otel_taskflow.export.pending") == {("collector", "logs"): 0, ("collector", "traces"): 0}
        manager.close()
    said = [each.getMessage() for each in caplog.records if "collector" in each.getMessage()]
    assert len([each for each in said if each.startswith("otel_taskflow: logs cannot be sent")]) == 1
    assert "otel_taskflow: logs go to collector again" in said


def points(reader: InMemoryMetricReader, name: str) -> dict[tuple[Any, ...], Any]:
    data = reader.get_metrics_data()
    assert data is not None
    keys = ("otel_taskflow.export.destination", "otel_taskflow.export.signal")
    return {
        tuple((point.attributes or {})[key] for key in keys): getattr(point, "value", None)
        for scope in data.resource_metrics[0].scope_metrics
        for metric in scope.metrics
        if metric.name == name
        for point in metric.data.data_points
    }


class Moody:
    """A store that is away while it is told to be."""

    is_persistent = True
    location = "somewhere"

    def __init__(self) -> None:
        self._inner = open_store("memory", None)
        self.is_away = False
        self.reader = self._inner.reader

    @property
    def writer(self) -> Moody:
        return self

    def take_commands(self, owner: str) -> Sequence[Any]:
        if self.is_away:
            raise StoreError("store somewhere: it is away; wait for it")
        return self._inner.writer.take_commands(owner)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner.writer, name)


def test_a_store_that_goes_and_comes_is_told_and_decides_about_readiness(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "otel_taskflow")
    store = Moody()
    manager = TaskManager(dir=tmp_path, store=store)
    heard: list[HealthReport] = []
    take_back = manager.on_health(heard.append)
    manager.start()
    wait_until(lambda: bool(heard))
    store.is_away = True
    wait_until(lambda: not manager.is_ready)
    wait_until(lambda: heard[-1].state == FAILED)
    assert manager.health().state == FAILED
    store.is_away = False
    wait_until(lambda: manager.is_ready and heard[-1].state == OK)
    take_back()
    manager.close()
    said = [each.getMessage() for each in caplog.records if each.getMessage().startswith("otel_taskflow: store is")]
    assert len(said) == 2
    assert said[0].startswith("otel_taskflow: store is failed: it cannot be read: store somewhere: it is away")
    assert said[1] == "otel_taskflow: store is ok again"
