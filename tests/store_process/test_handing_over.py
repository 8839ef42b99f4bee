"""Under load the store goes to a process of its own, and nobody can tell from what is in it."""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from otel_taskflow import InMemoryLogger, TaskAdmin, TaskManager
from otel_taskflow.consumers.store_process import host
from otel_taskflow.consumers.store_process.messages import AT_ONCE
from otel_taskflow.consumers.thread import ConsumerThread
from otel_taskflow.model import TaskStatus
from otel_taskflow.ports import JournalSlice
from otel_taskflow.web.api import BEHIND
from tests.processes.waiting import PATIENCE, is_alive, until
from tests.store_process.counting import PASSWORD, Counting


def test_what_this_process_and_the_other_wrote_is_one_history(counting: Counting) -> None:
    pid = counting.hand_over()
    for _ in range(30):
        counting.add(100)
    counting.check()
    assert counting.process.is_lent
    assert counting.process.pid == pid != os.getpid()
    [health] = [each for each in counting.manager.health().parts if each.part == "consumer:store"]
    assert health.figures["process"] == str(pid)


def test_a_calm_app_has_no_such_process(tmp_path: Path) -> None:
    calm = Counting(tmp_path / "state")
    for _ in range(5):
        calm.add()
        assert calm.manager.drain(PATIENCE)
    assert calm.process.pid is None
    calm.manager.stop()


def test_what_waits_is_left_to_a_process_that_is_about_to_come(
    counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "START_LIMIT", PATIENCE)
    counting.add(3)
    assert counting.manager.drain(PATIENCE)
    assert counting.process.pid is None
    assert counting.process.notice(1, host.MUCH)
    assert counting.process.pid is not None


def test_when_much_waits_the_process_is_called_before_any_of_it_is_handed_out_here(
    counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting.add(3)
    assert counting.manager.drain(PATIENCE)
    handed: list[int] = []
    offer = ConsumerThread.offer

    def hand(thread: ConsumerThread, piece: JournalSlice) -> None:
        if thread.consumer.name == "store":
            handed.append(len(piece.events))
        offer(thread, piece)

    monkeypatch.setattr(ConsumerThread, "offer", hand)
    lines = 2_000
    counting.add(lines)
    until(lambda: counting.process.is_lent)
    assert sum(handed) < lines / 2
    counting.check()


def test_what_comes_while_it_writes_is_gathered_for_one_commit(counting: Counting) -> None:
    counting.hand_over()
    adding = threading.Thread(target=add_steadily, args=(counting, 0.6))
    versions = set()
    with closing(sqlite3.connect(counting.folder / "tasks.db")) as connection:
        adding.start()
        while adding.is_alive():
            versions.add(connection.execute("PRAGMA data_version").fetchone())
            time.sleep(0.001)
    assert counting.manager.drain(PATIENCE)
    assert 1 < len(versions) < 30


def add_steadily(counting: Counting, seconds: float) -> None:
    """More than can be written one by one."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        counting.add(1)
        time.sleep(0.0002)


def test_where_the_path_is_too_long_for_a_process_to_be_told_everything_is_written_here(
    counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, *(f"/srv/{'long' * 50}/{number}" for number in range(1000))])
    for _ in range(3):
        counting.add(100)
    counting.check()
    assert counting.process.pid is None


def test_it_ends_with_the_manager(counting: Counting) -> None:
    pid = counting.hand_over()
    counting.add(1000)
    counting.manager.stop()
    assert not is_alive(pid)
    assert list((counting.folder / "journal").iterdir()) == []
    counting.check_rows()


def test_one_that_was_not_needed_any_more_ends_with_the_manager_too(counting: Counting) -> None:
    process = counting.process

    def has_process() -> bool:
        counting.add(5)
        return process.pid is not None

    until(has_process)
    pid = process.pid
    counting.manager.stop()
    assert process.pid is None
    assert pid is not None
    assert not is_alive(pid)


def test_it_looks_for_secrets_too(counting: Counting) -> None:
    counting.hand_over()
    task_id = counting.add()
    counting.check()
    assert {str(line.extra["password"]) for line in counting.rows.logs(task_id)} == {"[redacted:password]"}
    assert all(PASSWORD.encode() not in path.read_bytes() for path in counting.folder.glob("tasks.db*"))


def test_a_reader_sees_what_was_acknowledged_before_it_asked(counting: Counting) -> None:
    counting.hand_over()
    app = FastAPI()
    TaskAdmin(app, counting.manager, insecure=True)
    with TestClient(app) as client:
        counting.hand_over()
        for _ in range(20):
            task_id = counting.add(50)
            answer = client.get(f"/tasks/{task_id}")
            assert answer.status_code == 200
            assert BEHIND not in answer.headers
        assert counting.process.is_lent


def test_observers_are_told_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "MUCH", 10)
    observer = InMemoryLogger()
    counting = Counting(tmp_path / "state", observers=[observer])
    counting.hand_over()
    before = len(observer.log_events)
    for _ in range(10):
        counting.add(100)
    counting.check()
    assert len(observer.log_events) == before + 1000
    counting.manager.stop()


def test_unfinished_tasks_go_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "MUCH", 10)
    counting = Counting(tmp_path / "state")
    gate = threading.Event()
    waits = counting.manager.task(name="waits")(lambda: gate.wait(PATIENCE))
    tasks = [counting.manager.add_task(waits) for _ in range(3 * AT_ONCE)]
    assert counting.manager.runtime.tailer.flush()

    def is_lent() -> bool:
        counting.manager.add_task(waits)
        assert counting.manager.runtime.tailer.flush()
        return counting.process.is_lent

    until(is_lent)
    gate.set()
    assert counting.manager.drain(PATIENCE)
    for found in map(counting.rows.task, tasks[:3] + tasks[-3:]):
        assert found.task.status is TaskStatus.SUCCESS
        assert found.task.started_at == found.attempts[0].started_at
        assert found.attempts[0].span.trace_id
    assert counting.process.is_lent
    counting.manager.stop()


@pytest.mark.parametrize(
    ("settings", "executable", "boot"),
    [
        ({"store_process": False}, sys.executable, host.BOOT),
        ({"store": "memory"}, sys.executable, host.BOOT),
        ({}, "/usr/bin/uwsgi", host.BOOT),
        ({}, sys.executable, Path("/srv/app.pyz/boot.py")),
    ],
    ids=["it is not wanted", "the store is in memory", "this is no python", "the package is in an archive"],
)
def test_there_is_none_where(
    settings: dict[str, Any], executable: str, boot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", executable)
    monkeypatch.setattr(host, "BOOT", boot)
    manager = TaskManager(dir=str(tmp_path), **settings)
    manager.start()
    assert manager.runtime.store_process is None
    manager.stop()
