"""One store object given to several managers: the first opens it, and it stays open until the last has stopped."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from examples.custom_store import DictStore
from otel_taskflow import TaskManager
from otel_taskflow.errors import StoreError
from otel_taskflow.health import OK
from otel_taskflow.manager.opened import use_writer
from otel_taskflow.model import TaskStatus
from otel_taskflow.ports import Store
from otel_taskflow.stores.memory import MemoryStore
from otel_taskflow.stores.sqlite.store import SqliteStore


def work() -> None:
    """A task."""


class Writer:
    """Notes what is asked of it."""

    def __init__(self, error: Exception | None = None) -> None:
        self.calls: list[str] = []
        self.error = error

    def open(self) -> None:
        self.calls.append("open")
        if self.error is not None:
            raise self.error

    def close(self) -> None:
        self.calls.append("close")


@pytest.fixture(params=["sqlite", "memory", "of a user"])
def store(tmp_path: Path, request: pytest.FixtureRequest) -> Store:
    if request.param == "sqlite":
        return SqliteStore(tmp_path / "shared.db")
    return MemoryStore() if request.param == "memory" else DictStore()


@pytest.mark.failure("C12")
def test_a_manager_that_stops_leaves_the_store_to_the_others(store: Store, tmp_path: Path) -> None:
    one, two = (TaskManager(dir=str(tmp_path), store=store, name=name) for name in ("one", "two"))
    one.add_task(work)
    two.start()
    one.stop()
    task_id = two.add_task(work)
    assert two.drain()
    assert store.writer.load_tasks([task_id])[task_id].status is TaskStatus.SUCCESS
    assert {part.state for part in two.health().parts if part.part in ("store", "consumer:store")} == {OK}
    two.stop()
    with pytest.raises(StoreError, match="not open"):
        store.writer.owners()


def test_managers_start_again_with_the_same_store(store: Store, tmp_path: Path) -> None:
    manager = TaskManager(dir=str(tmp_path), store=store)
    for _ in range(2):
        manager.add_task(work)
        assert manager.drain()
        manager.stop()


def test_the_first_opens_and_the_last_closes() -> None:
    store, writer = MemoryStore(), Writer()
    leave_one, leave_two = (use_writer(store, writer) for _ in range(2))
    leave_one()
    assert writer.calls == ["open"]
    leave_two()
    assert writer.calls == ["open", "close"]


def test_a_store_that_cannot_be_opened_is_tried_again_by_the_next() -> None:
    store, writer = MemoryStore(), Writer(StoreError("not there"))
    with pytest.raises(StoreError, match="not there"):
        use_writer(store, writer)
    writer.error = None
    use_writer(store, writer)()
    assert writer.calls == ["open", "open", "close"]


def test_a_forked_child_opens_it_for_itself() -> None:
    store, writer = MemoryStore(), Writer()
    leave = use_writer(store, writer)
    child = os.fork()
    if child == 0:
        use_writer(store, writer)
        os._exit(len(writer.calls))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 2
    leave()
    assert writer.calls == ["open", "close"]
