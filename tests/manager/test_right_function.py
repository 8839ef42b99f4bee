"""Recovery and retry make the call that was added, or none: several functions may have one name."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from otel_taskflow import TaskRecord
from otel_taskflow.errors import TaskNotRegisteredError, TaskStateError
from otel_taskflow.manager import TaskManager
from otel_taskflow.model import TaskRow, TaskStatus
from tests.crash.rows import Rows

happened: list[str] = []
PATIENCE = 10.0


def send(address: str = "nobody") -> None:
    happened.append(f"undecorated {address}")
    raise ValueError(address)


def decorated(address: str) -> None:
    happened.append(f"decorated {address}")


def job_of(kind: str) -> Callable[[], None]:
    def job() -> None:
        happened.append(kind)

    return job


def other_job() -> Callable[[], None]:
    def job() -> None:
        happened.append("other")

    return job


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[TaskManager]:
    happened.clear()
    manager = TaskManager(dir=str(tmp_path), max_sync_threads=1)
    yield manager
    manager.stop()


async def retried(manager: TaskManager, task_id: str) -> TaskRow:
    try:
        return await manager.retry(task_id)
    finally:
        await manager.adrain()


def test_retry_runs_the_undecorated_function_not_the_registered_one_of_its_name(manager: TaskManager) -> None:
    manager.task(name="send")(decorated)
    task_id = manager.add_task(send, "ada")
    assert manager.drain()
    row = asyncio.run(retried(manager, task_id))
    assert row.name == "send"
    assert TaskRecord.from_row(row).to_dict()["recoverable"] is True
    assert happened == ["undecorated ada"] * 2


def test_retry_of_a_partial_is_refused_instead_of_calling_its_function_without_arguments(manager: TaskManager) -> None:
    task_id = manager.add_task(functools.partial(send, "ada"))
    assert manager.drain()
    [row] = manager.runtime.store.writer.load_tasks([task_id]).values()
    assert TaskRecord.from_row(row).to_dict()["recoverable"] is False
    with pytest.raises(TaskStateError, match="its function cannot be found by name"):
        asyncio.run(retried(manager, task_id))
    assert happened == ["undecorated ada"]


class Patch(BaseModel):
    name: str | None = None
    email: str | None = None


def test_retry_changes_the_fields_that_the_task_was_to_change_and_no_others(manager: TaskManager) -> None:
    @manager.task
    def update(patch: Patch) -> None:
        happened.append(str(patch.model_dump(exclude_unset=True)))
        raise ValueError

    task_id = manager.add_task(update, Patch(name="Ada"))
    assert manager.drain()
    asyncio.run(retried(manager, task_id))
    assert happened == ["{'name': 'Ada'}"] * 2


def test_a_decorated_method_keeps_its_settings(manager: TaskManager) -> None:
    class Account:
        @manager.task(retries=1)
        def send(self, address: str) -> None:
            happened.append(address)
            raise ValueError(address)

    task_id = manager.add_task(Account().send, "ada")
    assert manager.drain()
    manager.runtime.tailer.flush()
    assert manager.runtime.store.writer.load_tasks([task_id])[task_id].max_attempts == 2
    assert happened == ["ada", "ada"]


def test_one_key_on_two_functions_of_one_name_runs_both(manager: TaskManager) -> None:
    first = manager.add_task(job_of("refund"), idempotency_key="k")
    assert manager.add_task(job_of("refund"), idempotency_key="k") == first
    second = manager.add_task(other_job(), idempotency_key="k")
    manager.add_task(lambda: happened.append("one"), idempotency_key="k")
    manager.add_task(lambda: happened.append("two"), idempotency_key="k")
    assert manager.drain()
    assert first != second
    assert happened == ["refund", "other", "one", "two"]


def left_behind(manager: TaskManager, *add: Callable[..., Any]) -> list[str]:
    """Ids of tasks that were added and did not start before the manager stopped."""
    ends, running = threading.Event(), threading.Event()

    def blocks() -> None:
        running.set()
        ends.wait(PATIENCE)

    manager.add_task(blocks)
    assert running.wait(PATIENCE)
    ids = [manager.add_task(each) for each in add]
    manager.stop(grace=0.0)
    ends.set()
    return ids


def test_after_a_restart_a_closure_does_not_run_as_another_of_its_name(manager: TaskManager, tmp_path: Path) -> None:
    [task_id] = left_behind(manager, job_of("refund"))
    assert Rows(tmp_path).task(task_id).task.status is TaskStatus.CANCELLED
    manager.start()
    manager.add_task(job_of("delete"))
    assert manager.drain()
    assert happened == ["delete"]


def test_after_a_restart_a_function_runs_once_it_is_added_again_and_none_of_its_name_before(
    manager: TaskManager, tmp_path: Path
) -> None:
    [task_id] = left_behind(manager, send)
    manager = TaskManager(dir=str(tmp_path))
    manager.task(name="send")(decorated)
    try:
        manager.start()
        manager.add_task(decorated, "bob")
        manager.drain()
        with pytest.raises(TaskNotRegisteredError, match=f"the function {__name__}.send was not added"):
            manager.submit_again(Rows(tmp_path).task(task_id).task)
        assert happened == ["decorated bob"]
        manager.task(name="undecorated")(send)
        assert Rows(tmp_path).settled(task_id).task.status is TaskStatus.FAILED
        assert happened == ["decorated bob", "undecorated nobody"]
    finally:
        manager.stop()
