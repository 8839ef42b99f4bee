"""TaskManagers beside durable processors: each span and line of a task is exported once, whoever owns it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.trace import TracerProvider

from otel_taskflow import (
    ConfigurationError,
    DurableLogRecordProcessor,
    DurableSpanProcessor,
    OTLPExporter,
    TaskManager,
    TaskObserver,
    task_log,
)
from otel_taskflow.setup.sharing import open_buffers
from otel_taskflow.testing.otlp_receiver import OTLPReceiver


class App:
    """Providers whose spans and log records go by way of the disk to the receiver."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder
        self.tracers, self.loggers = TracerProvider(shutdown_on_exit=False), LoggerProvider(shutdown_on_exit=False)
        exporter = OTLPExporter(url, name="app", schedule_delay=0.05)
        self.tracers.add_span_processor(DurableSpanProcessor(exporter, dir=folder))
        self.loggers.add_log_record_processor(DurableLogRecordProcessor(exporter, dir=folder))

    def manager(self, name: str, settings: dict[str, Any] | None) -> TaskManager:
        observers: list[TaskObserver] = []
        if settings is not None:
            observers.append(OTLPExporter(self.url, name=name, schedule_delay=0.05, **settings))
        return TaskManager(
            name=name,
            dir=str(self.folder),
            tracer_provider=self.tracers,
            logger_provider=self.loggers,
            observers=observers,
        )

    def shutdown(self) -> None:
        self.tracers.shutdown()
        self.loggers.shutdown()


def run(*managers: TaskManager) -> None:
    """One task in each, all running at once."""
    for manager in managers:

        def work(name: str) -> None:
            task_log(f"line of {name}")

        manager.start()
        manager.task(name=f"work_{manager.name}")(work)
        manager.add_task(work, manager.name)
    for manager in managers:
        assert manager.drain()
    for manager in managers:
        assert manager.force_flush()
        manager.stop()


EXPORTERS: dict[str, dict[str, Any] | None] = {
    "no exporter": None,
    "an exporter": {},
    "an exporter of both": {"signals": ("traces", "logs")},
    "an exporter of traces": {"signals": ("traces",)},
}


@pytest.mark.parametrize("settings", EXPORTERS.values(), ids=EXPORTERS)
def test_each_span_and_line_of_a_task_is_exported_once(tmp_path: Path, settings: dict[str, Any] | None) -> None:
    with OTLPReceiver() as receiver:
        app = App(receiver.url, tmp_path)
        run(app.manager("a", settings))
        app.shutdown()
        assert Counter(span.name for span in receiver.spans) == {"send work_a": 1, "process work_a": 1}
        assert receiver.log_bodies.count("line of a") == 1


def test_two_managers_of_which_one_exports_by_itself_export_everything_once(tmp_path: Path) -> None:
    with OTLPReceiver() as receiver:
        app = App(receiver.url, tmp_path)
        run(app.manager("a", EXPORTERS["an exporter of both"]), app.manager("b", None))
        app.shutdown()
        names = ["send work_a", "process work_a", "send work_b", "process work_b"]
        assert Counter(span.name for span in receiver.spans) == dict.fromkeys(names, 1)
        assert [receiver.log_bodies.count(f"line of {name}") for name in "ab"] == [1, 1]


def test_two_managers_that_mean_different_receivers_by_one_name_are_refused(tmp_path: Path) -> None:
    with OTLPReceiver() as receiver, OTLPReceiver() as other:
        first = TaskManager(name="a", dir=tmp_path, observers=[OTLPExporter(receiver.url)])
        first.start()
        second = TaskManager(name="b", dir=tmp_path, observers=[OTLPExporter(other.url)])
        with pytest.raises(ConfigurationError, match=r"'otlp' with another endpoint.*name="):
            second.start()
        first.stop()
        second.start()
        second.stop()


def test_a_processor_that_means_another_receiver_than_a_manager_is_refused(tmp_path: Path) -> None:
    with OTLPReceiver() as receiver:
        manager = TaskManager(dir=tmp_path, observers=[OTLPExporter(receiver.url, signals=("traces", "logs"))])
        manager.start()
        for _ in range(2):
            with pytest.raises(ConfigurationError, match="name="):
                DurableSpanProcessor(OTLPExporter(receiver.url, headers={"api-key": "B"}), dir=tmp_path)
        assert [buffer for buffer in open_buffers() if buffer.root == tmp_path] == []
        DurableSpanProcessor(OTLPExporter(receiver.url), dir=tmp_path).shutdown()
        manager.stop()
