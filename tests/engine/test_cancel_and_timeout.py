"""Attempts that are cut off, and tasks that never start."""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
import time
from pathlib import Path

import pytest

from otel_taskflow import task_log
from otel_taskflow.errors import TaskNotFoundError, TaskStateError
from otel_taskflow.manager import TaskManager
from otel_taskflow.model import AttemptOutcome, TaskStatus
from tests.engine.conftest import Seen
from tests.manager.standstill import nothing_stored

pytestmark = pytest.mark.anyio


async def test_a_running_async_task_is_cancelled(manager: TaskManager, seen: Seen) -> None:
    started = asyncio.Event()

    async def endless() -> None:
        started.set()
        await asyncio.sleep(60)

    task_id = manager.add_task(endless)
    await asyncio.wait_for(started.wait(), 5)
    row = await manager.cancel(task_id)
    assert (row.status, row.reason) == (TaskStatus.CANCELLED, "user")
    assert seen.attempt(task_id, 0).outcome is AttemptOutcome.CANCELLED


async def test_a_task_that_ignores_its_cancelling_and_raises_is_cancelled_all_the_same(manager: TaskManager) -> None:
    started = asyncio.Event()

    async def stubborn() -> None:
        started.set()
        try:
            await asyncio.sleep(60)
        finally:
            raise ValueError("while cleaning up")

    task_id = manager.add_task(stubborn)
    await asyncio.wait_for(started.wait(), 5)
    assert (await manager.cancel(task_id)).status is TaskStatus.CANCELLED


@pytest.mark.failure("T12")
async def test_a_waiting_task_is_cancelled_and_never_runs_again(manager: TaskManager, seen: Seen) -> None:
    runs: list[int] = []

    @manager.task(retries=3, delay=0.3)
    async def fails() -> None:
        runs.append(1)
        raise ValueError

    task_id = manager.add_task(fails)
    while seen.manager.runtime.engine.get(task_id).waiting_until is None:  # type: ignore[union-attr]
        await asyncio.sleep(0.005)
    row = await manager.cancel(task_id)
    assert row.status is TaskStatus.CANCELLED
    await asyncio.sleep(0.4)
    assert runs == [1]


async def test_a_sync_task_is_given_up_and_its_late_lines_are_marked(manager: TaskManager, seen: Seen) -> None:
    started, gate, done = threading.Event(), threading.Event(), threading.Event()

    def blocked() -> None:
        started.set()
        gate.wait(10)
        task_log("after all")
        done.set()

    task_id = manager.add_task(blocked)
    await asyncio.to_thread(started.wait, 5)
    row = await manager.cancel(task_id)
    assert (row.status, row.reason) == (TaskStatus.CANCELLED, "user")
    gate.set()
    await asyncio.to_thread(done.wait, 5)
    [line] = await seen.logs(task_id)
    assert (line.message, line.late) == ("after all", True)
    assert seen.task(task_id).status is TaskStatus.CANCELLED


@pytest.mark.parametrize("is_known", [False, True])
@pytest.mark.parametrize("begins", [False, True])
async def test_a_task_of_this_process_is_cancelled_whatever_the_store_knows_of_it(
    tmp_path: Path, is_known: bool, begins: bool
) -> None:
    manager = TaskManager(dir=tmp_path, shutdown_grace=0.2, max_concurrent_tasks=1)
    started = asyncio.Event()

    async def endless() -> None:
        started.set()
        await asyncio.sleep(60)

    def add() -> str:
        if not begins:
            manager.add_task(asyncio.sleep, 60)
        return manager.add_task(endless)

    manager.start()
    try:
        if is_known:
            task_id = add()
            assert await manager.level(10) == 0
        with nothing_stored(tmp_path):
            if not is_known:
                task_id = add()
            if begins:
                await asyncio.wait_for(started.wait(), 5)
            row = await manager.cancel(task_id)
            assert manager.runtime.engine.get(task_id) is None
        assert await manager.level(10) == 0
        detail = await manager.reader().get_task(task_id)
        assert detail is not None
        stored = detail.task
        assert (stored.status, stored.reason, stored.attempts) == (TaskStatus.CANCELLED, "user", int(begins))
        assert (row.status, row.reason, row.attempts) == (stored.status, stored.reason, stored.attempts)
    finally:
        await asyncio.to_thread(manager.stop)


@pytest.mark.failure("T12")
async def test_cancelling_twice_or_what_has_ended_is_an_error_that_says_so(manager: TaskManager) -> None:
    task_id = manager.add_task(lambda: None)
    await manager.adrain()
    with pytest.raises(TaskStateError, match="is success"):
        await manager.cancel(task_id)
    with pytest.raises(TaskNotFoundError, match="no task has the id 'nobody'"):
        await manager.cancel("nobody")


async def test_an_async_attempt_that_takes_too_long_is_timed_out_and_retried(manager: TaskManager, seen: Seen) -> None:
    @manager.task(retries=1, timeout=0.05)
    async def slow() -> None:
        await asyncio.sleep(60)

    task_id = manager.add_task(slow)
    await manager.adrain()
    task = seen.task(task_id)
    assert (task.status, task.attempts) == (TaskStatus.FAILED, 2)
    assert task.error is not None
    assert task.error.message == "the attempt passed its timeout of 0.05 s"
    assert seen.attempt(task_id, 1).outcome is AttemptOutcome.TIMED_OUT


@pytest.mark.parametrize("ending", ["raises", "returns"])
async def test_a_timed_out_attempt_is_that_whatever_it_makes_of_its_cancelling(
    manager: TaskManager, seen: Seen, ending: str
) -> None:
    @manager.task(timeout=0.05)
    async def stubborn() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            if ending == "raises":
                raise ValueError("while cleaning up") from None

    task_id = manager.add_task(stubborn)
    await manager.adrain()
    assert seen.attempt(task_id, 0).outcome is AttemptOutcome.TIMED_OUT
    task = seen.task(task_id)
    assert task.status is TaskStatus.FAILED
    assert task.error is not None
    assert task.error.type == "TimeoutError"


def test_what_a_task_leaves_running_on_our_own_loop_is_cancelled_before_that_closes() -> None:
    manager = TaskManager(store="memory")
    ended: list[str] = []
    children: list[asyncio.Task[None]] = []

    async def child() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            ended.append("cleaned up")

    async def leaves_a_child() -> None:
        children.append(asyncio.create_task(child()))
        await asyncio.sleep(0)

    manager.add_task(leaves_a_child)
    assert manager.drain()
    loop = children[0].get_loop()
    manager.stop()
    deadline = time.monotonic() + 5
    while not loop.is_closed() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert ended == ["cleaned up"]
    assert children[0].cancelled()


async def test_the_retry_of_a_timed_out_sync_attempt_waits_for_its_thread(manager: TaskManager, seen: Seen) -> None:
    gate = threading.Event()
    running: list[int] = []
    most_at_once: list[int] = []

    @manager.task(retries=1, timeout=0.05)
    def slow() -> None:
        running.append(1)
        most_at_once.append(len(running))
        gate.wait(5)
        running.pop()

    task_id = manager.add_task(slow)
    while seen.manager.runtime.engine.get(task_id).waiting_until is None:  # type: ignore[union-attr]
        await asyncio.sleep(0.005)
    await asyncio.sleep(0.05)
    assert most_at_once == [1]
    gate.set()
    await manager.adrain()
    assert most_at_once == [1, 1]
    first = seen.attempt(task_id, 0)
    assert first.outcome is AttemptOutcome.TIMED_OUT
    assert first.late_end


class SlowHandler(logging.Handler):
    """Holds up whoever logs the first failure."""

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.go_on = threading.Event(), threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if not self.entered.is_set():
            self.entered.set()
            self.go_on.wait(10)


def test_a_retry_that_two_could_start_keeps_its_delay() -> None:
    """The thread comes back while the end of its timed-out attempt is still being reported."""
    manager = TaskManager(store="memory", max_sync_threads=1)
    handler, gate = SlowHandler(), threading.Event()
    starts: list[float] = []

    @manager.task(retries=2, delay=0.2, timeout=0.05)
    def slow() -> None:
        starts.append(time.monotonic())
        if len(starts) > 1:
            raise ValueError
        gate.wait(5)

    thread_is_free = threading.Event()
    is_free = manager.task(thread_is_free.set)
    logger = logging.getLogger("otel_taskflow")
    logger.addHandler(handler)
    try:
        task_id = manager.add_task(slow)
        assert handler.entered.wait(5)
        gate.set()
        manager.add_task(is_free)
        assert thread_is_free.wait(5)
        handler.go_on.set()
        assert manager.drain()
        manager.runtime.tailer.flush()
        assert manager.runtime.store.writer.load_tasks([task_id])[task_id].attempts == 3
    finally:
        logger.removeHandler(handler)
        manager.stop()
    assert min(after - before for before, after in itertools.pairwise(starts)) > 0.19


async def test_a_finished_task_is_run_again_as_a_new_one(manager: TaskManager, seen: Seen) -> None:
    fail = [True]

    @manager.task
    def report(name: str) -> None:
        if fail[0]:
            raise ValueError(name)

    task_id = manager.add_task(report, "north")
    await manager.adrain()
    fail[0] = False
    again = await manager.retry(task_id)
    await manager.adrain()
    assert again.retry_of == task_id
    assert seen.task(task_id).retried_as == again.task_id
    assert seen.task(task_id).status is TaskStatus.FAILED
    assert seen.task(again.task_id).status is TaskStatus.SUCCESS
    with pytest.raises(TaskStateError, match="is success"):
        await manager.retry(again.task_id)


@pytest.mark.parametrize("again", ["cancelled again", "timed out"])
async def test_a_cancelled_attempt_is_told_once_and_cleans_up_undisturbed(
    manager: TaskManager, seen: Seen, again: str
) -> None:
    started, cleaned = asyncio.Event(), asyncio.Event()

    @manager.task(timeout=0.3 if again == "timed out" else None)
    async def tidy() -> None:
        started.set()
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.6)
            cleaned.set()

    task_id = manager.add_task(tidy)
    await asyncio.wait_for(started.wait(), 5)
    cancelling = asyncio.create_task(manager.cancel(task_id))
    await asyncio.sleep(0.1)
    if again == "cancelled again":
        await manager.cancel(task_id)
    assert (await cancelling).status is TaskStatus.CANCELLED
    assert cleaned.is_set()
    assert seen.attempt(task_id, 0).outcome is AttemptOutcome.CANCELLED


async def test_a_task_whose_cancelling_takes_a_while_says_that_it_was_asked_for(
    manager: TaskManager, seen: Seen
) -> None:
    started, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        started.set()
        try:
            await asyncio.sleep(60)
        finally:
            await go_on.wait()

    task_id = manager.add_task(slow)
    await asyncio.wait_for(started.wait(), 5)
    row = await manager.cancel(task_id)
    assert (row.status, row.reason) == (TaskStatus.RUNNING, "cancel_requested")
    go_on.set()
    await manager.adrain()
    assert (seen.task(task_id).status, seen.task(task_id).reason) == (TaskStatus.CANCELLED, "user")
