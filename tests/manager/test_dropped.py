"""What is lost is counted with its reason, where people look."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from opentelemetry._logs import Logger, LoggerProvider, NoOpLogger

from otel_taskflow import FileLogger, OTLPExporter, TaskAdmin, TaskManager, task_log
from otel_taskflow.errors import StoreError
from otel_taskflow.events import Event, LogEvent, TaskLogged
from otel_taskflow.journal.codec import encode
from otel_taskflow.journal.segment import SIZE
from otel_taskflow.observers import TaskObserver
from otel_taskflow.ports import StoreWrite
from otel_taskflow.stores.sqlite.store import SqliteStore
from tests.crash.rows import Rows
from tests.journal.support import make_writer
from tests.telemetry.parts import Recorder

MANY = 6_000
"""Lines of 2 KB: more than two segments hold."""


def work(lines: int = 5) -> None:
    for number in range(lines):
        task_log(f"line {number} " + "." * 2_000)
    task_log("what matters", level="error")


def test_a_journal_at_its_budget_keeps_errors_and_states_and_counts_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_away(*_: object) -> None:
        raise StoreError("away")

    manager = TaskManager(dir=str(tmp_path), journal_budget=2 * SIZE)
    app = FastAPI()
    TaskAdmin(app, manager, insecure=True)
    with TestClient(app) as client:
        assert client.get("/tasks/metrics").json()["dropped"] == {}
        with monkeypatch.context() as meanwhile:
            meanwhile.setattr(manager.runtime.store.writer, "write", is_away)
            task_id = manager.add_task(work, MANY)
            assert not manager.drain(3)
        assert manager.drain()
        lost = manager.dropped["journal_budget"]
        assert 0 < lost < MANY
        assert manager.dropped == client.get("/tasks/metrics").json()["dropped"] == {"journal_budget": lost}
        assert client.get(f"/tasks/{task_id}").json()["status"] == "success"
        [line] = client.get(f"/tasks/{task_id}/logs?level=error").json()["entries"]
        assert (line["message"], line["seq"]) == ("what matters", MANY + 1)


def logs_under_a_name_that_is_no_text() -> None:
    logging.getLogger("\ud800").warning("lost")


def journal_of_a_dead_process(root: Path, *events: Event) -> Path:
    writer = make_writer(root)
    for event in events:
        writer.append(encode(event))
    writer.close(consumed=-1)
    assert writer.folder is not None
    return writer.folder


def lines(count: int, poisoned: int = 0) -> list[Event]:
    return [TaskLogged("t", n, 0, n, "info", "poison" if n == poisoned else "line", {}) for n in range(1, count + 1)]


def damage(journal: Path, place: bytes) -> None:
    [segment] = journal.glob("*.seg")
    data = segment.read_bytes()
    at = data.rindex(place)
    segment.write_bytes(data[:at] + b"?" + data[at + 1 :])


def taken_over(manager: TaskManager, journal: Path) -> dict[str, int]:
    manager.start()
    Rows(journal.parent.parent).until(lambda: not journal.exists(), "taken over")
    return dict(manager.dropped)


def test_damaged_records_of_a_dead_process_are_counted_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    journal = journal_of_a_dead_process(tmp_path, *lines(5))
    damage(journal, encode(lines(5)[2]))
    damage(journal, encode(lines(5)[4]))
    manager = TaskManager(dir=str(tmp_path), observers=[FileLogger(str(tmp_path / "log"))])
    assert taken_over(manager, journal) == {"torn": 2}
    assert "2 record(s)" in caplog.text
    manager.stop()


class RefusingStore:
    """Takes everything but poisoned lines."""

    is_persistent = True

    def __init__(self, path: Path) -> None:
        self._store = SqliteStore(path)
        self.location = str(path)
        self.reader = self._store.reader
        self.writer = self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store.writer, name)

    def write(self, write: StoreWrite) -> int:
        if any(line.message == "poison" for line in write.logs):
            raise ValueError("refused")
        return self._store.writer.write(write)


def test_what_the_store_refuses_of_a_dead_process_is_counted(tmp_path: Path) -> None:
    journal = journal_of_a_dead_process(tmp_path, *lines(5, poisoned=3))
    manager = TaskManager(dir=str(tmp_path), store=RefusingStore(tmp_path / "tasks.db"))
    assert taken_over(manager, journal) == {"store_refused": 1}
    manager.stop()


class Failing(TaskObserver):
    name = "failing"

    async def on_log(self, event: LogEvent) -> None:
        raise RuntimeError("no")


def test_what_an_observer_was_told_in_vain_and_what_it_was_not_told_are_counted(tmp_path: Path) -> None:
    manager = TaskManager(dir=str(tmp_path), observers=[Failing()])
    manager.add_task(work)
    assert manager.drain()
    assert manager.dropped == {"observer:failing:failed": 5, "observer:failing": 1}
    manager.stop()


def test_a_line_that_cannot_be_made_into_a_record_is_counted_and_only_once(tmp_path: Path) -> None:
    manager = TaskManager(dir=str(tmp_path), capture_logging="INFO")
    manager.add_task(logs_under_a_name_that_is_no_text)
    assert manager.drain()
    assert manager.dropped == {"line_unwritable": 1}
    manager.stop()
    manager.start()
    assert manager.dropped == {}
    manager.stop()


def test_the_metric_of_losses_stays_when_the_manager_stops_and_goes_on_when_it_starts(tmp_path: Path) -> None:
    recorder = Recorder()
    manager = TaskManager(dir=str(tmp_path), capture_logging="INFO", meter_provider=recorder.meter_provider)

    def lost() -> dict[str, int]:
        points = recorder.points("otel_taskflow.dropped")
        return {point.attributes["otel_taskflow.drop.signal"]: point.value for point in points if point.value}

    for total in (1, 2):
        manager.add_task(logs_under_a_name_that_is_no_text)
        assert manager.drain()
        assert lost() == {"logs": total}
        manager.stop()
        assert lost() == {"logs": total}


class BrokenLogger(NoOpLogger):
    def emit(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError("no")

    def enabled(self, *args: Any, **kwargs: Any) -> bool:
        return True


class BrokenProvider(LoggerProvider):
    def get_logger(self, name: str, *args: Any, **kwargs: Any) -> Logger:
        return BrokenLogger(name)


def test_events_without_a_log_record_are_counted(tmp_path: Path) -> None:
    manager = TaskManager(dir=str(tmp_path), logger_provider=BrokenProvider())
    manager.add_task(work)
    assert manager.drain()
    assert manager.dropped == {"otel-log-records": 7}
    manager.stop()


@pytest.mark.parametrize("kept", ["in memory", "on disk"])
def test_what_a_manager_in_memory_could_not_deliver_is_lost_with_it_told_and_counted(
    tmp_path: Path, kept: str, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder()
    nobody = OTLPExporter("http://127.0.0.1:9", name="nobody")
    store = "memory" if kept == "in memory" else None
    manager = TaskManager(dir=str(tmp_path), store=store, observers=[nobody], meter_provider=recorder.meter_provider)
    manager.add_task(task_log, "hello")
    assert manager.drain()
    assert not manager.force_flush(0.5)
    manager.stop()
    points = recorder.points("otel_taskflow.dropped")
    lost = {
        point.attributes["otel_taskflow.drop.signal"]: point.value
        for point in points
        if point.attributes["otel_taskflow.drop.reason"] == "memory_only"
    }
    if kept == "in memory":
        assert lost == {"traces": 2, "logs": 2}, "the spans of adding and running, the line and the start"
        assert "kept in memory only, and 2 spans and 2 log records are lost" in caplog.text
    else:
        assert lost == {"traces": 0, "logs": 0}
    assert ("sent at the next start" in caplog.text) is (kept == "on disk")


def test_counters_of_losses_begin_at_0_so_that_the_first_loss_is_an_increase(tmp_path: Path) -> None:
    recorder = Recorder()
    nobody = OTLPExporter("http://127.0.0.1:9", signals=("logs",), name="nobody")
    manager = TaskManager(dir=str(tmp_path), observers=[nobody], meter_provider=recorder.meter_provider)
    manager.start()
    in_the_app = {point.attributes["otel_taskflow.drop.reason"] for point in recorder.points("otel_taskflow.dropped")}
    assert in_the_app >= {"journal_budget", "store_refused", "torn", "unreadable"}
    Rows(tmp_path).until(lambda: bool(recorder.points("otel_taskflow.export.dropped")), "elected")
    on_the_way = recorder.points("otel_taskflow.export.dropped")
    reasons = {point.attributes["otel_taskflow.drop.reason"] for point in on_the_way}
    assert reasons >= {"disk_budget", "age_limit", "quarantined", "rejected", "unencodable", "before_export_failed"}
    assert {point.value for point in [*on_the_way, *recorder.points("otel_taskflow.dropped")]} == {0}
    assert manager.dropped == {}
    manager.stop()
