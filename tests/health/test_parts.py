"""Each part says how it is, and why."""

from __future__ import annotations

import shutil
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from otel_taskflow import TaskManager, TaskObserver
from otel_taskflow.consumers.condition import STILL, Condition, condition_of
from otel_taskflow.consumers.observers import ObserverConsumer
from otel_taskflow.errors import StoreError
from otel_taskflow.health import DEGRADED, FAILED, OK, PartHealth
from otel_taskflow.journal.reader import DeadReader
from otel_taskflow.journal.writer import JournalWriter
from otel_taskflow.manager import pulse as pulse_module
from otel_taskflow.manager.pulse import Pulse
from otel_taskflow.ports import JournalHeader
from otel_taskflow.stores.opening import open_store
from tests.journal.support import FullDisk

HEADER = JournalHeader("j-1", 0, 1, "host", "boot", "host:1")


def fill(writer: JournalWriter) -> None:
    before = len(writer.segments)
    while len(writer.segments) == before:
        writer.append(b"x" * 500_000)


@pytest.mark.failure("S1")
def test_a_journal_in_memory_is_degraded_until_its_files_can_be_made_again(tmp_path: Path) -> None:
    disk = FullDisk()
    writer = JournalWriter.create(tmp_path, HEADER, disk=disk)
    assert (writer.health().state, writer.health().figures["dropped"]) == (OK, 0)
    disk.is_full = True
    fill(writer)
    health = writer.health()
    assert (health.state, health.remedy) == (DEGRADED, "free some disk space")
    assert "No space left" in health.why
    disk.is_full = False
    fill(writer)
    assert writer.health().state == OK
    writer.close()


@pytest.mark.failure("S1")
def test_a_journal_in_memory_goes_back_to_the_disk_with_its_next_record(tmp_path: Path) -> None:
    disk = FullDisk()
    writer = JournalWriter.create(tmp_path, HEADER, disk=disk)
    disk.is_full = True
    fill(writer)
    disk.is_full = False
    writer.prepare()
    assert writer.health().state == OK
    writer.append(b"on the disk")
    assert writer.folder is not None
    assert b"on the disk" in [record.payload for record in DeadReader(writer.folder).records()]
    writer.close()


def test_a_journal_whose_folder_was_deleted_is_degraded(tmp_path: Path) -> None:
    writer = JournalWriter.create(tmp_path, HEADER)
    assert writer.folder is not None
    shutil.rmtree(writer.folder)
    health = writer.health()
    assert (health.state, "deleted or moved" in health.why) == (DEGRADED, True)
    assert "restart" in health.remedy
    writer.close()


def test_a_journal_at_its_budget_is_degraded(tmp_path: Path) -> None:
    writer = JournalWriter.create(tmp_path, HEADER, budget=5_000_000)
    fill(writer)
    writer.append_log(b"x", keep=False)
    health = writer.health()
    assert (health.state, health.figures["dropped"]) == (DEGRADED, 1)
    assert "budget" in health.why
    writer.reclaim(writer.end)
    assert writer.health().state == OK
    writer.close()


@pytest.mark.parametrize(
    ("condition", "state", "word"),
    [
        (Condition(0, None, 0, 0.0, None), OK, ""),
        (Condition(0, None, 0, STILL * 9, StoreError("gone")), OK, ""),
        (Condition(9, None, 0, 1.0, StoreError("gone")), DEGRADED, "gone"),
        (Condition(9, None, 0, STILL + 1, None), DEGRADED, "has taken nothing for 11 s"),
        (Condition(400_000, 500_000, 0, 0.0, None), DEGRADED, "skipped forward from 500000 on"),
        (Condition(400_000, None, 0, 0.0, None), OK, ""),
    ],
)
def test_a_consumer_that_fails_stands_still_or_is_far_behind_is_degraded(
    condition: Condition, state: str, word: str
) -> None:
    health = condition_of("store", condition)
    assert (health.part, health.state, health.figures["lag"]) == ("consumer:store", state, condition.lag)
    assert word in health.why


def part(manager: TaskManager, name: str) -> PartHealth:
    return next(each for each in manager.health().parts if each.part == name)


def wait_for(manager: TaskManager, name: str, state: str) -> PartHealth:
    deadline = time.monotonic() + 10
    while part(manager, name).state != state:
        assert time.monotonic() < deadline, part(manager, name)
        time.sleep(0.02)
    return part(manager, name)


class Gate(TaskObserver):
    """Raises, or hangs, while it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.fails = True
        self.opened = threading.Event()
        self.opened.set()

    def on_log(self, event: object) -> None:
        self.opened.wait(20)
        if self.fails:
            raise ValueError("no route")


def test_an_observer_whose_circuit_is_open_is_degraded_until_a_call_goes_well() -> None:
    observer = Gate()
    consumer = ObserverConsumer(observer, pause=0.05)
    manager = TaskManager(store="memory")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("otel_taskflow.manager.runtime.ObserverConsumer", lambda *_, **__: consumer)
        manager = TaskManager(store="memory", observers=[observer])
        manager.start()
    manager.add_task(say, 10)
    health = wait_for(manager, "observer:Gate", DEGRADED)
    assert "failed 5 times in a row" in health.why
    assert "ValueError in on_log: no route" in health.why
    assert health.figures["failed"] == 5
    observer.fails = False
    time.sleep(0.1)
    manager.add_task(say, 1)
    wait_for(manager, "observer:Gate", OK)
    assert manager.health().state == OK
    manager.close()


def test_an_observer_that_hangs_in_a_call_is_degraded_while_it_does() -> None:
    observer = Gate()
    observer.fails = False
    observer.opened.clear()
    consumer = ObserverConsumer(observer, call_limit=0.1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("otel_taskflow.manager.runtime.ObserverConsumer", lambda *_, **__: consumer)
        manager = TaskManager(store="memory", observers=[observer])
        manager.start()
    manager.add_task(say, 10)
    assert "hangs in a call" in wait_for(manager, "observer:Gate", DEGRADED).why
    observer.opened.set()
    manager.add_task(say, 1)
    wait_for(manager, "observer:Gate", OK)
    manager.close()


def say(lines: int) -> None:
    from otel_taskflow import task_log

    for number in range(lines):
        task_log(f"line {number}")


def test_a_store_is_asked_by_housekeeping_and_its_answer_is_its_health() -> None:
    store, trouble = open_store("memory", None), [None]
    pulse = Pulse(store, lambda: trouble[0])
    assert (pulse.is_felt, pulse.health().state) == (True, OK)

    def fail() -> Any:
        raise StoreError("no such server")

    with pytest.raises(StoreError):
        pulse.asking(fail)
    assert (pulse.is_felt, pulse.health().state) == (False, FAILED)
    assert "no such server" in pulse.health().why
    assert pulse.asking(list) == []
    assert pulse.health().state == OK
    trouble[0] = StoreError("disk full")  # type: ignore[call-overload]
    assert (pulse.health().state, pulse.health().figures["writable"], pulse.is_felt) == (DEGRADED, False, True)


def test_a_store_that_does_not_answer_is_not_to_be_had_until_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse_module, "SILENCE", 0.05)
    pulse, may_answer = Pulse(open_store("memory", None), lambda: None), threading.Event()

    def hang() -> list[str]:
        may_answer.wait(10)
        return []

    asking = threading.Thread(target=pulse.asking, args=(hang,))
    asking.start()
    time.sleep(0.1)
    assert (pulse.is_felt, pulse.health().state) == (False, FAILED)
    may_answer.set()
    asking.join()
    assert (pulse.is_felt, pulse.health().state) == (True, OK)


def test_a_sound_store_is_ready_and_has_a_size(tmp_path: Path) -> None:
    manager = TaskManager(dir=tmp_path)
    manager.start()
    manager.add_task(say, 1)
    manager.drain()
    assert manager.is_ready
    size = part(manager, "store").figures["bytes"]
    assert isinstance(size, int)
    assert size >= (tmp_path / "tasks.db").stat().st_size
    manager.close()


class Sized:
    """A store of the user's own that says how large it is, while it can."""

    is_persistent = False
    location = "somewhere"

    def __init__(self) -> None:
        inner = open_store("memory", None)
        self.writer, self.reader = inner.writer, inner.reader
        self.bytes: int | None = 4096

    def size(self) -> int:
        if self.bytes is None:
            raise StoreError("no such server")
        return self.bytes


def test_a_store_of_ones_own_says_its_size_and_one_that_cannot_is_as_well_as_it_was() -> None:
    store = Sized()
    manager = TaskManager(store=store)
    manager.start()
    assert part(manager, "store").figures["bytes"] == 4096
    store.bytes = None
    health = part(manager, "store")
    assert (health.state, health.figures["bytes"], health.figures["location"]) == (OK, None, "somewhere")
    manager.close()


def test_a_store_that_cannot_be_written_makes_store_and_consumer_degraded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otel_taskflow.sqlite.connection.BUSY_TIMEOUT", 0.05)
    manager = TaskManager(dir=tmp_path)
    manager.start()
    with sqlite3.connect(tmp_path / "tasks.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        manager.add_task(say, 3)
        assert "locked" in wait_for(manager, "store", DEGRADED).why
        behind = wait_for(manager, "consumer:store", DEGRADED)
        assert behind.figures["lag"]
        assert manager.is_ready
        other.execute("ROLLBACK")
    wait_for(manager, "store", OK)
    wait_for(manager, "consumer:store", OK)
    other.close()
    manager.close()


def test_a_store_in_memory_instead_of_the_one_that_was_asked_for_is_degraded(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    manager = TaskManager(dir=tmp_path / "file", on_store_error="degrade")
    manager.start()
    store = part(manager, "store")
    assert (store.state, manager.health().state, manager.is_ready) == (DEGRADED, DEGRADED, True)
    assert "in memory only" in store.why
    manager.close()
