"""Slots of async attempts: none is lost, and no more run at once than there are."""

from __future__ import annotations

import asyncio
import sys
import threading

import pytest

from otel_taskflow.manager import TaskManager
from otel_taskflow.model import TaskStatus
from tests.engine.conftest import Seen

pytestmark = pytest.mark.anyio


@pytest.fixture
def two() -> TaskManager:
    return TaskManager(store="memory", max_concurrent_tasks=2, shutdown_grace=0.2)


async def test_no_more_async_attempts_run_at_once_than_max_concurrent_tasks(two: TaskManager) -> None:
    running: list[int] = []
    most: list[int] = []

    @two.task
    async def work(number: int) -> None:
        running.append(number)
        most.append(len(running))
        await asyncio.sleep(0.01)
        running.remove(number)

    try:
        ids = [two.add_task(work, number) for number in range(10)]
        assert await two.adrain()
        assert max(most) == 2
        assert {Seen(two).task(task_id).status for task_id in ids} == {TaskStatus.SUCCESS}
    finally:
        await asyncio.to_thread(two.stop)


async def test_a_start_that_fails_harms_neither_who_gave_the_slot_nor_who_comes_next(
    caplog: pytest.LogCaptureFixture,
) -> None:
    manager = TaskManager(store="memory", max_concurrent_tasks=1)
    started, ends = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        started.set()
        await ends.wait()

    async def second() -> None:
        """A task."""

    def fails() -> None:
        raise RuntimeError("Event loop is closed")

    try:
        ids = [manager.add_task(first)]
        await asyncio.wait_for(started.wait(), 5)
        manager.runtime.parts.slots.acquire(fails)
        ids.append(manager.add_task(second))
        ends.set()
        assert await manager.adrain(5.0)
        assert [Seen(manager).task(task_id).status for task_id in ids] == [TaskStatus.SUCCESS] * 2
        assert "a task could not be started" in caplog.text
    finally:
        await asyncio.to_thread(manager.stop)


def test_tasks_whose_loop_is_closed_give_their_slots_back() -> None:
    manager = TaskManager(store="memory", max_concurrent_tasks=1)
    started, done = threading.Event(), threading.Event()

    async def endless() -> None:
        started.set()
        await asyncio.sleep(60)

    async def after() -> None:
        done.set()

    async def short_life() -> None:
        manager.add_task(endless)
        manager.add_task(after)
        while not started.is_set():
            await asyncio.sleep(0.001)

    try:
        asyncio.run(short_life())
        assert done.wait(5)
        assert manager.drain()
    finally:
        manager.stop()


async def test_a_task_that_waits_for_a_slot_is_cancelled_and_never_runs() -> None:
    manager = TaskManager(store="memory", max_concurrent_tasks=1)
    gate, runs = asyncio.Event(), []

    async def holds() -> None:
        await gate.wait()

    async def waits() -> None:
        runs.append("waits")

    try:
        manager.add_task(holds)
        task_id = manager.add_task(waits)
        row = await manager.cancel(task_id)
        assert (row.status, row.reason) == (TaskStatus.CANCELLED, "user")
        gate.set()
        assert await manager.adrain()
        assert runs == []
    finally:
        await asyncio.to_thread(manager.stop)


async def test_a_task_that_waits_for_a_thread_is_cancelled_and_never_runs() -> None:
    manager = TaskManager(store="memory", max_sync_threads=1)
    gate, runs = threading.Event(), []
    try:
        manager.add_task(gate.wait, 10)
        task_id = manager.add_task(runs.append, "waits")
        row = await manager.cancel(task_id)
        assert (row.status, row.reason) == (TaskStatus.CANCELLED, "user")
        gate.set()
        assert await manager.adrain()
        assert runs == []
    finally:
        gate.set()
        await asyncio.to_thread(manager.stop)


@pytest.mark.parametrize("what", ["expired", "cancelled"])
async def test_thousands_that_need_their_slot_no_more_take_nobody_along(two: TaskManager, what: str) -> None:
    go_on = asyncio.Event()
    ran: list[str] = []

    async def blocks() -> None:
        await go_on.wait()

    async def never() -> None:
        ran.append("never")

    async def last() -> None:
        ran.append("last")

    for _ in range(2):
        two.add_task(blocks)
    ids = [two.add_task(never, expires=0.01 if what == "expired" else None) for _ in range(2000)]
    two.add_task(last)
    if what == "cancelled":
        for task_id in ids:
            two.runtime.engine.cancel(task_id)
    await asyncio.sleep(0.05)
    go_on.set()
    assert await two.adrain(20)
    assert ran == ["last"]
    await asyncio.to_thread(two.stop)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
async def test_a_backlog_of_tasks_that_end_at_once_runs_on_a_loop_that_begins_tasks_eagerly(two: TaskManager) -> None:
    go_on = asyncio.Event()
    ran: list[int] = []

    async def blocks() -> None:
        await go_on.wait()

    async def work(number: int) -> None:
        ran.append(number)

    loop = asyncio.get_running_loop()
    loop.set_task_factory(asyncio.eager_task_factory)
    try:
        for _ in range(2):
            two.add_task(blocks)
        for number in range(1000):
            two.add_task(work, number)
        go_on.set()
        assert await two.adrain(20)
    finally:
        loop.set_task_factory(None)
    assert sorted(ran) == list(range(1000))
    await asyncio.to_thread(two.stop)
