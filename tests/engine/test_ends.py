"""What becomes of attempts and their successors when a manager stops, or a loop ends, in the middle of something."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import pytest

from otel_taskflow.engine import loops
from otel_taskflow.manager import TaskManager
from otel_taskflow.model import TaskStatus
from otel_taskflow.telemetry.attempt import LiveAttemptSpan
from tests.crash.rows import Rows


@pytest.mark.anyio
@pytest.mark.parametrize("cut_off", ["cancelled", "timed out"])
async def test_what_was_cut_off_and_is_still_cleaning_up_at_the_stop_does_not_run_again(
    tmp_path: Path, cut_off: str
) -> None:
    started = asyncio.Event()

    async def work() -> None:
        started.set()
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(5)

    manager = TaskManager(dir=tmp_path)
    manager.task(requeue_on_interrupt=True, timeout=0.05 if cut_off == "timed out" else None)(work)
    task_id = manager.add_task(work)
    await asyncio.wait_for(started.wait(), 5)
    if cut_off == "cancelled":
        manager.runtime.engine.cancel(task_id)
    await asyncio.sleep(0.2)
    await asyncio.to_thread(manager.stop, 0.0)
    found = await asyncio.to_thread(Rows(tmp_path).task, task_id)
    wanted = TaskStatus.CANCELLED if cut_off == "cancelled" else TaskStatus.FAILED
    assert found.task.status is wanted


def test_a_thread_that_outlives_its_attempt_has_the_grace_before_another_process_runs_the_retry(tmp_path: Path) -> None:
    gate, running = threading.Event(), [0]
    most: list[int] = []

    def slow() -> None:
        running[0] += 1
        most.append(running[0])
        gate.wait(0.5)
        running[0] -= 1

    manager = TaskManager(dir=tmp_path, shutdown_grace=10)
    manager.task(retries=1, timeout=0.05)(slow)
    task_id = manager.add_task(slow)
    deadline = time.monotonic() + 5
    while not Rows(tmp_path).is_waiting(task_id):
        assert time.monotonic() < deadline
    manager.stop()
    manager.start()
    Rows(tmp_path).settled(task_id)
    manager.stop()
    assert most == [1, 1]


def test_tasks_that_wait_for_a_slot_when_a_scripts_loop_ends_run_elsewhere(tmp_path: Path) -> None:
    manager = TaskManager(dir=tmp_path, max_concurrent_tasks=2)
    begun: list[int] = []

    async def work(number: int) -> None:
        begun.append(number)
        await asyncio.sleep(0.1)

    async def script() -> None:
        for number in range(6):
            manager.add_task(work, number)
        await asyncio.sleep(0.02)

    asyncio.run(script())
    manager.add_task(work, 6)
    assert manager.drain(10)
    assert sorted(begun) == list(range(7))
    statuses = [each.task.status for each in Rows(tmp_path).tasks()]
    assert statuses.count(TaskStatus.INTERRUPTED) == 2
    assert statuses.count(TaskStatus.SUCCESS) == 5
    manager.stop()


@pytest.mark.anyio
async def test_a_loop_on_which_one_attempt_was_cancelled_by_somebody_else_is_used_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loops, "LEFT_FOR", 0.05)
    manager = TaskManager(store="memory")
    seen: list[object] = []

    async def where() -> None:
        seen.append(asyncio.get_running_loop())

    async def gives_up() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    manager.add_task(gives_up)
    await manager.adrain()
    await asyncio.sleep(0.1)
    manager.add_task(where)
    await manager.adrain()
    assert seen == [asyncio.get_running_loop()]
    manager.stop()


def test_an_attempt_ends_whatever_was_put_on_its_span(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(LiveAttemptSpan, "additions", lambda _: {"events": object()})
    manager = TaskManager(dir=tmp_path)
    runs: list[int] = []

    @manager.task(retries=1)
    def work() -> None:
        runs.append(1)
        if len(runs) == 1:
            raise ValueError("no")

    task_id = manager.add_task(work)
    assert manager.drain(10)
    manager.stop()
    assert Rows(tmp_path).task(task_id).task.status is TaskStatus.SUCCESS
    assert len(runs) == 2
    assert "could not be kept, and is left out" in caplog.text
