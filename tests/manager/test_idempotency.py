"""Idempotency keys: who holds one, for how long, and what is kept for it."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_taskflow import StoreUnavailableError, TaskManager, TaskStateError
from tests.manager.standstill import all_stored, nothing_stored


class Argument:
    """Something whose end can be seen."""


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[TaskManager]:
    manager = TaskManager(dir=tmp_path / "state", shutdown_grace=0.2)
    yield manager
    manager.stop()


def retry(manager: TaskManager, task_id: str) -> str:
    async def ask() -> str:
        return (await manager.retry(task_id)).task_id

    return asyncio.run(ask())


def test_a_retry_by_hand_holds_the_key_of_the_task_that_failed(manager: TaskManager) -> None:
    runs: list[int] = []

    @manager.task
    def charge(cents: int) -> None:
        runs.append(cents)
        if len(runs) == 1:
            raise ValueError("not yet")

    failed = manager.add_task(charge, 5, idempotency_key="order-1")
    assert manager.drain(10)
    retried = retry(manager, failed)
    assert manager.drain(10)
    assert manager.add_task(charge, 5, idempotency_key="order-1") == retried
    assert manager.drain(10)
    assert runs == [5, 5]
    with pytest.raises(TaskStateError, match=f"task {retried} has its idempotency key 'order-1'"):
        retry(manager, failed)


def test_a_key_is_free_as_soon_as_its_task_has_failed_whatever_the_store_knows_of_it(
    manager: TaskManager, tmp_path: Path
) -> None:
    go_on = threading.Event()

    @manager.task
    def charge() -> None:
        go_on.wait(10)
        raise ValueError("not yet")

    added = [manager.add_task(charge, idempotency_key="order-1")]
    all_stored(manager)
    with nothing_stored(tmp_path / "state"):
        go_on.set()
        for _ in range(3):
            assert manager.runtime.engine.wait_idle(10)
            added.append(manager.add_task(charge, idempotency_key="order-1"))
        assert manager.runtime.store.writer.find_idempotent("charge", "order-1") == added[0]
    assert len(set(added)) == 4


def test_a_key_is_free_when_the_store_in_memory_that_knew_it_is_gone() -> None:
    manager = TaskManager(store="memory")
    runs: list[str] = []
    manager.task(name="note")(runs.append)
    for run in ("first", "second"):
        manager.add_task(runs.append, run, idempotency_key="key")
        assert manager.add_task(runs.append, "again", idempotency_key="key")
        assert manager.drain(10)
        manager.stop()
    assert runs == ["first", "second"]


def test_a_key_outlives_its_process_in_a_store_that_does(tmp_path: Path) -> None:
    runs: list[str] = []
    manager = TaskManager(dir=tmp_path)
    manager.task(name="note")(runs.append)
    for run in ("first", "second"):
        manager.add_task(runs.append, run, idempotency_key="key")
        assert manager.drain(10)
        manager.stop()
    assert runs == ["first"]


def test_nothing_of_the_call_is_kept_for_a_key(manager: TaskManager) -> None:
    argument = Argument()
    gone = weakref.ref(argument)

    @manager.task
    def work(_: object) -> None:
        return None

    task_id = manager.add_task(work, argument, idempotency_key="key")
    del argument
    assert manager.drain(10)
    assert gone() is None
    assert manager.add_task(work, None, idempotency_key="key") == task_id


def test_where_the_store_cannot_say_who_holds_a_key_the_task_is_refused(
    manager: TaskManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("gone")

    manager.start()
    monkeypatch.setattr(manager.runtime.store.writer, "find_idempotent", fail)
    with pytest.raises(StoreUnavailableError, match="was added before: gone; add it"):
        manager.add_task(print, idempotency_key="key")
    assert manager.add_task(print)
