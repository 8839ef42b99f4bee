"""A task that has not started when its time is over never runs."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

import pytest

from otel_taskflow import ConfigurationError, ManagedBackgroundTasks
from otel_taskflow.manager import TaskManager
from otel_taskflow.model import TaskRow, TaskStatus
from tests.engine.conftest import Seen

SOON = 0.1
LONG = 60.0


class Work:
    """A task that says when it ran; ``gate`` holds up its pool."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.ran: list[str] = []

    def hold_up(self) -> None:
        self.gate.wait(20)

    def run(self, name: str = "") -> None:
        self.ran.append(name)

    async def run_async(self, name: str = "") -> None:
        self.ran.append(name)


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def manager() -> object:
    manager = TaskManager(store="memory", max_sync_threads=1, max_concurrent_tasks=1, shutdown_grace=0.2)
    yield manager
    manager.stop()


def settled_as(task: TaskRow) -> tuple[TaskStatus, str | None, int]:
    return task.status, task.reason, task.attempts


EXPIRED = (TaskStatus.CANCELLED, "expired", 0)
RAN = (TaskStatus.SUCCESS, None, 1)


def test_a_task_whose_turn_comes_too_late_is_cancelled_and_never_runs(
    manager: TaskManager, seen: Seen, work: Work
) -> None:
    manager.add_task(work.hold_up)
    late = manager.add_task(work.run, "late", expires=SOON)
    in_time = manager.add_task(work.run, "in time", expires=LONG)
    without = manager.add_task(work.run, "without")
    time.sleep(SOON * 1.5)
    work.gate.set()
    assert manager.drain()
    assert settled_as(seen.task(late)) == EXPIRED
    assert settled_as(seen.task(in_time)) == settled_as(seen.task(without)) == RAN
    assert work.ran == ["in time", "without"]
    assert manager.runtime.engine.unfinished == 0
    row = seen.task(late)
    assert row.expires_at == row.created_at + int(SOON * 1e9)
    assert seen.task(without).expires_at is None


@pytest.mark.anyio
async def test_an_async_task_gives_the_slot_to_the_next_one(manager: TaskManager, seen: Seen, work: Work) -> None:
    gate = asyncio.Event()

    async def hold_up() -> None:
        await gate.wait()

    manager.add_task(hold_up)
    late = manager.add_task(work.run_async, "late", expires=SOON)
    following = manager.add_task(work.run_async, "following")
    await asyncio.sleep(SOON * 1.5)
    gate.set()
    assert await manager.adrain()
    assert settled_as(seen.task(late)) == EXPIRED
    assert settled_as(seen.task(following)) == RAN
    assert work.ran == ["following"]


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_request_whose_task_expires_goes_on(manager: TaskManager, seen: Seen, work: Work, kind: str) -> None:
    tasks = ManagedBackgroundTasks(manager)
    late = tasks.add_task(work.run if kind == "sync" else work.run_async, "late", expires=SOON)
    following = tasks.add_task(work.run, "following", expires=LONG)
    await asyncio.sleep(SOON * 1.5)  # the response takes its time
    await asyncio.wait_for(tasks(), 10)
    assert await manager.adrain()
    assert settled_as(seen.task(late)) == EXPIRED
    assert settled_as(seen.task(following)) == RAN


def test_the_decorator_says_it_for_all_and_add_task_for_one(manager: TaskManager, seen: Seen, work: Work) -> None:
    manager.task(expires=SOON)(work.run)
    manager.add_task(work.hold_up)
    late = manager.add_task(work.run, "late")
    own = manager.add_task(work.run, "own", expires=LONG)
    time.sleep(SOON * 1.5)
    work.gate.set()
    assert manager.drain()
    assert [settled_as(seen.task(task_id)) for task_id in (late, own)] == [EXPIRED, RAN]


def test_a_task_that_has_started_does_not_expire(manager: TaskManager, seen: Seen) -> None:
    attempts = []

    @manager.task(retries=1, delay=SOON * 2, expires=SOON)
    def fail_once() -> None:
        attempts.append(1)
        if len(attempts) == 1:
            raise ValueError("no")

    task_id = manager.add_task(fail_once)
    assert manager.drain()
    assert settled_as(seen.task(task_id)) == (TaskStatus.SUCCESS, None, 2)


@pytest.mark.failure("S10")
def test_a_step_of_the_clock_expires_nothing_early(manager: TaskManager, seen: Seen, work: Work) -> None:
    manager.add_task(work.hold_up)
    task_id = manager.add_task(work.run, expires=LONG)
    object.__setattr__(manager.runtime.parts, "clock", lambda: time.time_ns() + 86400 * 10**9)
    work.gate.set()
    assert manager.drain()
    assert settled_as(seen.task(task_id)) == RAN


@pytest.mark.anyio
async def test_a_retry_by_hand_has_as_much_time_as_the_original(manager: TaskManager, seen: Seen, work: Work) -> None:
    def fail() -> None:
        raise ValueError("no")

    manager.task(name="fail")(fail)
    task_id = manager.add_task(fail, expires=LONG)
    assert await manager.adrain()
    again = await manager.retry(task_id)
    assert again.expires_at == again.created_at + int(LONG * 1e9)


@pytest.mark.parametrize("expires", [0, -1, "60", True, float("nan"), float("inf"), 1e12])
def test_what_is_no_time_is_refused_at_the_door(manager: TaskManager, work: Work, expires: object) -> None:
    adds: list[Callable[..., str]] = [manager.add_task, ManagedBackgroundTasks(manager).add_task]
    for add in adds:
        with pytest.raises(ConfigurationError, match=r"add_task\(expires=.* must be seconds.*leave it out") as raised:
            add(work.run, expires=expires)
        assert repr(expires) in str(raised.value)
