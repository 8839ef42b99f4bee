"""Which attempt a line belongs to, wherever it is written from."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from otel_taskflow import ConfigurationError, get_task_context, task_log, wrap
from otel_taskflow.manager import TaskManager
from otel_taskflow.model import TaskStatus
from tests.engine.conftest import Seen

PATIENCE = 10.0


def messages(seen: Seen, task_id: str) -> list[str]:
    return [line.message for line in asyncio.run(seen.logs(task_id))]


def in_thread(work: object) -> None:
    thread = threading.Thread(target=work)  # type: ignore[arg-type]
    thread.start()
    thread.join(PATIENCE)


@pytest.mark.failure("T6")
def test_a_thread_without_context_logs_to_the_standard_library_with_one_hint(
    manager: TaskManager, seen: Seen, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otel_taskflow.context.logging._hinted", [])

    def work() -> None:
        for _ in range(2):
            in_thread(lambda: task_log("from a raw thread", number=1))

    with caplog.at_level(logging.INFO, "otel_taskflow"):
        task_id = manager.add_task(work)
        assert manager.drain()
    assert messages(seen, task_id) == []
    assert [record.getMessage() for record in caplog.records].count("from a raw thread") == 2
    assert sum("otel_taskflow.wrap" in record.getMessage() for record in caplog.records) == 1


@pytest.mark.failure("T6")
def test_a_wrapped_function_carries_the_attempt_into_threads_and_executors(manager: TaskManager, seen: Seen) -> None:
    def work() -> None:
        in_thread(wrap(lambda: task_log("thread")))
        with ThreadPoolExecutor(1) as pool:
            pool.submit(wrap(task_log), "executor").result(PATIENCE)

    task_id = manager.add_task(work)
    assert manager.drain()
    assert messages(seen, task_id) == ["thread", "executor"]


@pytest.mark.failure("T7")
def test_children_of_gather_and_to_thread_are_in_their_attempt(manager: TaskManager, seen: Seen) -> None:
    async def part(name: str) -> None:
        await asyncio.sleep(0)
        task_log(name)

    async def work() -> None:
        await asyncio.gather(part("one"), part("two"))
        await asyncio.to_thread(task_log, "three")

    task_id = manager.add_task(work)
    assert manager.drain()
    assert sorted(messages(seen, task_id)) == ["one", "three", "two"]


def test_what_an_attempt_does_to_its_tags_changes_nothing_else(manager: TaskManager, seen: Seen) -> None:
    found: list[dict[str, str]] = []

    def work() -> None:
        context = get_task_context()
        assert context is not None
        found.append(dict(context.tags))
        context.tags["a"] = "CHANGED"  # type: ignore[index]
        raise ValueError

    task_id = manager.add_task(manager.task(retries=1)(work), tags={"a": "1"})
    assert manager.drain()
    assert found == [{"a": "1"}, {"a": "1"}]
    assert seen.task(task_id).tags == {"a": "1"}


def test_tasks_that_run_at_once_keep_apart(manager: TaskManager, seen: Seen) -> None:
    async def work(name: str) -> None:
        for _ in range(20):
            task_log(name)
            await asyncio.sleep(0)

    tasks = {name: manager.add_task(work, name) for name in ("one", "two", "three")}
    assert manager.drain()
    for name, task_id in tasks.items():
        assert messages(seen, task_id) == [name] * 20


@pytest.mark.failure("T7")
def test_a_nested_task_logs_for_itself_and_leaves_the_outer_attempt_as_it_was(manager: TaskManager, seen: Seen) -> None:
    nested: list[str] = []
    done = threading.Event()

    def inner() -> None:
        task_log("inner")
        done.set()

    def outer() -> None:
        nested.append(manager.add_task(inner))
        assert done.wait(PATIENCE)
        task_log("outer")

    task_id = manager.add_task(outer)
    assert manager.drain()
    assert messages(seen, task_id) == ["outer"]
    assert messages(seen, nested[0]) == ["inner"]


@pytest.mark.failure("T7")
def test_a_context_taken_to_another_loop_keeps_the_attempt(
    manager: TaskManager, seen: Seen, caplog: pytest.LogCaptureFixture
) -> None:
    async def elsewhere() -> None:
        task_log("on another loop")

    def work() -> None:
        context = contextvars.copy_context()
        in_thread(lambda: context.run(asyncio.run, elsewhere()))

    task_id = manager.add_task(work)
    assert manager.drain()
    assert messages(seen, task_id) == ["on another loop"]
    assert "different Context" not in caplog.text


@pytest.mark.failure("T5")
@pytest.mark.anyio
async def test_a_thread_that_outlives_its_attempt_adds_late_lines(manager: TaskManager, seen: Seen) -> None:
    has_ended, has_logged = threading.Event(), threading.Event()

    def late() -> None:
        assert has_ended.wait(PATIENCE)
        task_log("late")
        has_logged.set()

    def work() -> None:
        task_log("in time")
        threading.Thread(target=wrap(late), daemon=True).start()

    task_id = manager.add_task(work)
    assert await manager.adrain()
    has_ended.set()
    assert await asyncio.to_thread(has_logged.wait, PATIENCE)
    lines = await seen.logs(task_id)
    assert [(line.message, line.attempt, line.late) for line in lines] == [("in time", 0, False), ("late", 0, True)]
    assert seen.attempt(task_id, 0).log_count == seen.task(task_id).log_count == 2


def test_outside_a_task_there_is_no_context(manager: TaskManager) -> None:
    found: list[object] = []
    manager.add_task(lambda: found.append(get_task_context()))
    assert manager.drain()
    assert get_task_context() is None
    assert found != [None]


@pytest.mark.anyio
@pytest.mark.parametrize("factory", ["takes no context", "fails"])
async def test_a_task_factory_of_the_apps_that_is_of_no_use_is_left_out(
    manager: TaskManager, seen: Seen, factory: str
) -> None:
    def make(loop: asyncio.AbstractEventLoop, coroutine: Any) -> asyncio.Task[Any]:
        return asyncio.Task(coroutine, loop=loop)

    def refuse(*_: object, **__: object) -> asyncio.Task[Any]:
        raise RuntimeError("no tasks today")

    async def work() -> None:
        await asyncio.sleep(0)
        task_log("done")

    loop = asyncio.get_running_loop()
    loop.set_task_factory(make if factory == "takes no context" else refuse)
    try:
        task_id = manager.add_task(work)
    finally:
        loop.set_task_factory(None)
    await manager.adrain()
    assert [line.message for line in await seen.logs(task_id)] == ["done"]


@pytest.mark.anyio
async def test_a_manager_is_not_stopped_on_the_loop_that_its_tasks_run_on(manager: TaskManager, seen: Seen) -> None:
    started = asyncio.Event()

    async def work() -> None:
        started.set()
        await asyncio.sleep(0.1)

    task_id = manager.add_task(work)
    await asyncio.wait_for(started.wait(), 5)
    for stop in (manager.stop, manager.close):
        with pytest.raises(ConfigurationError, match=r"await task_manager\.shutdown\(\)"):
            stop()
    await manager.adrain()
    assert seen.task(task_id).status is TaskStatus.SUCCESS
    manager.stop()
