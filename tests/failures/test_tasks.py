"""What tasks do to each other and to the app: block the loop, take all threads, fail, are cancelled again and again."""

from __future__ import annotations

import asyncio
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from otel_taskflow import InMemoryLogger, TaskManager, TaskStateError, task_log
from otel_taskflow.lifecycle.decide import is_final
from otel_taskflow.model import TaskStatus
from tests.crash.rows import Rows, survivor
from tests.failures.child import failing
from tests.telemetry.parts import Recorder

PATIENCE = 30.0


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[TaskManager]:
    manager = TaskManager(dir=str(tmp_path), max_sync_threads=2, shutdown_grace=0.2)
    yield manager
    manager.stop()


@pytest.mark.failure("T2")
def test_a_process_whose_loop_is_blocked_is_not_taken_for_dead(tmp_path: Path) -> None:
    rows = Rows(tmp_path)
    with failing("worker", tmp_path) as process:
        assert process.do("start") == "started"
        with survivor(tmp_path) as manager:
            task_id = process.do("add", "blocks", 5)
            rows.until(lambda: [each.task.status for each in rows.tasks()] == [TaskStatus.RUNNING], "it runs")
            assert manager.drain()
            found = rows.settled(task_id)
        process.do("stop")
    assert found.task.status is TaskStatus.SUCCESS
    assert len(found.attempts) == 1
    assert found.attempts[0].duration is not None
    assert found.attempts[0].duration >= 5e9


@pytest.mark.failure("T3")
def test_tasks_that_take_all_threads_leave_the_default_pool_alone_and_their_waiting_is_measured(
    manager: TaskManager, tmp_path: Path
) -> None:
    gate = threading.Event()
    blocked = [manager.add_task(gate.wait, PATIENCE) for _ in range(2)]
    waiting = manager.add_task(lambda: task_log("at last"))

    async def look_up() -> float:
        before = time.perf_counter()
        loop = asyncio.get_running_loop()
        await asyncio.gather(*(loop.getaddrinfo("localhost", 80, type=socket.SOCK_STREAM) for _ in range(20)))
        await asyncio.to_thread(int)
        return time.perf_counter() - before

    rows = Rows(tmp_path)
    rows.until(lambda: [each.task.status for each in rows.tasks()].count(TaskStatus.RUNNING) == 2, "two run")
    assert manager.runtime.engine.waiting == 1
    assert asyncio.run(look_up()) < 2.0
    time.sleep(0.2)
    assert rows.task(waiting).task.status is TaskStatus.PENDING
    gate.set()
    assert manager.drain()
    [attempt] = rows.task(waiting).attempts
    assert attempt.queue_wait >= 2e8
    assert all(rows.task(each).attempts[0].queue_wait < attempt.queue_wait for each in blocked)


@pytest.mark.failure("T9")
def test_extras_may_have_any_name(tmp_path: Path) -> None:
    recorder, observer = Recorder(), InMemoryLogger()
    manager = TaskManager(dir=str(tmp_path), observers=[observer], logger_provider=recorder.logger_provider)
    names = ["message", "task_id", "attempt", "self", "extra", "name", "seq", "args", "otel_taskflow.task.id", "logger"]

    def work() -> None:
        task_log("line", level="warning", **dict.fromkeys(names, "mine"))

    task_id = manager.add_task(work)
    assert manager.drain()
    manager.stop()
    [line] = Rows(tmp_path).logs(task_id)
    assert (line.message, line.level) == ("line", "warning")
    assert dict(line.extra) == dict(observer.log_events[0].extra) == dict.fromkeys(names, "mine")
    [record] = [record for record in recorder.records if record.event_name is None]
    assert record.attributes["otel_taskflow.task.id"] == task_id
    assert record.attributes["extra.otel_taskflow.task.id"] == "mine"


@pytest.mark.failure("T12")
def test_a_task_that_is_cancelled_again_and_again_while_it_ends_has_one_end(tmp_path: Path) -> None:
    observer = InMemoryLogger()
    manager = TaskManager(dir=str(tmp_path), observers=[observer])

    @manager.task(retries=1, delay=0.001)
    async def ends_soon(seconds: float, fails: bool) -> None:
        await asyncio.sleep(seconds)
        if fails:
            raise ValueError("no")

    @manager.task(retries=1, delay=0.001)
    def ends_soon_too(seconds: float, fails: bool) -> None:
        time.sleep(seconds)
        if fails:
            raise ValueError("no")

    tasks, answers = asyncio.run(cancel_twice(manager, [ends_soon, ends_soon_too]))
    assert manager.drain()
    manager.stop(grace=1.0)
    told: dict[str, list[TaskStatus]] = {task_id: [] for task_id in tasks}
    for event in observer.lifecycle_events:
        if is_final(event.status):
            told[event.task_id].append(event.status)
    for found in Rows(tmp_path).tasks():
        assert is_final(found.task.status)
        # One that was cancelled before it ran is not told.
        assert told[found.task.task_id] == ([found.task.status] if found.attempts else [])
    assert answers["cancelled"]
    assert answers["too late"]


async def cancel_twice(manager: TaskManager, functions: Sequence[Callable[..., Any]]) -> tuple[list[str], Counter[str]]:
    """Add tasks that end soon, and cancel each twice at about that time; returns their ids and how the cancels went."""
    tasks: list[str] = []
    answers: Counter[str] = Counter()

    async def cancel(task_id: str) -> None:
        await asyncio.sleep(random.random() * 0.01)
        try:
            await manager.cancel(task_id)
            answers["cancelled"] += 1
        except TaskStateError:
            answers["too late"] += 1

    for number in range(100):
        tasks.append(manager.add_task(functions[number % 2], random.random() * 0.01, number % 3 == 0))
        await asyncio.gather(cancel(tasks[-1]), cancel(tasks[-1]))
    await manager.reader().aclose()
    return tasks, answers
