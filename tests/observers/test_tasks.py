"""Observers and captured logging at a real manager: what tasks notice of them, and what they are told of tasks."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from otel_taskflow import FileLogger, InMemoryLogger, LogEvent, TaskManager, TaskObserver, task_log
from otel_taskflow.errors import ConfigurationError
from tests.observers.kinds import AsyncRecorder, Failing, Hanging, Recorder

TASKS = 20


class Chatty(TaskObserver):
    """Calls task_log for each line it is told: an echo would never end."""

    def on_log(self, event: LogEvent) -> None:
        task_log(f"echo of {event.message}")


class Slow(TaskObserver):
    """Takes its time for each line."""

    async def on_log(self, event: LogEvent) -> None:
        await asyncio.sleep(0.01)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., TaskManager]]:
    """Makes managers that are stopped at the end."""
    made: list[TaskManager] = []

    def make(**settings: Any) -> TaskManager:
        made.append(TaskManager(dir=str(tmp_path / "kept"), shutdown_grace=0.2, **settings))
        return made[-1]

    yield make
    for manager in made:
        manager.stop()


@pytest.mark.failure("T4")
@pytest.mark.parametrize("trouble", [Failing(10_000), Chatty(), Slow()], ids=["raises", "logs", "is slow"])
def test_no_task_and_no_other_observer_notices_one_in_trouble(
    start: Callable[..., TaskManager], trouble: TaskObserver
) -> None:
    memory = InMemoryLogger()
    manager = start(observers=[trouble, memory])
    for number in range(TASKS):
        manager.add_task(task_log, f"line {number}")
    assert manager.drain()
    assert sorted(event.message for event in memory.log_events) == sorted(f"line {number}" for number in range(TASKS))
    assert [event.status.name for event in memory.lifecycle_events].count("SUCCESS") == TASKS


@pytest.mark.failure("T4")
def test_tasks_end_and_others_are_told_while_an_observer_hangs(start: Callable[..., TaskManager]) -> None:
    hanging, told = Hanging(), threading.Semaphore(0)

    class Counting(Recorder):
        def on_log(self, event: LogEvent) -> None:
            super().on_log(event)
            told.release()

    counting = Counting()
    manager = start(observers=[hanging, counting])
    try:
        for number in range(TASKS):
            manager.add_task(task_log, f"line {number}")
        for _ in range(TASKS):
            assert told.acquire(timeout=10)
        assert hanging.told == []
    finally:
        hanging.release.set()
    assert manager.drain()
    assert len(hanging.told) == TASKS


def test_what_a_library_logs_inside_a_task_is_told_and_stored_with_its_logger(
    start: Callable[..., TaskManager],
) -> None:
    memory = InMemoryLogger()
    manager = start(observers=[memory], capture_logging="info")

    def work() -> None:
        task_log("mine")
        logging.getLogger("library").info("theirs", extra={"rows": 3})

    manager.add_task(work)
    assert manager.drain()
    assert [(event.message, event.logger, dict(event.extra)) for event in memory.log_events] == [
        ("mine", None, {}),
        ("theirs", "library", {"rows": 3}),
    ]


def test_capturing_ends_with_the_manager(start: Callable[..., TaskManager]) -> None:
    original = logging.Logger.isEnabledFor
    manager = start(capture_logging="DEBUG")
    manager.start()
    assert logging.Logger.isEnabledFor is not original
    manager.stop()
    assert logging.Logger.isEnabledFor is original


def test_an_observer_works_again_in_a_manager_started_again(start: Callable[..., TaskManager], tmp_path: Path) -> None:
    recorder, file = Recorder(), FileLogger(tmp_path / "app.log")
    for message in ("first", "second"):
        manager = start(observers=[recorder, file])
        manager.add_task(task_log, message)
        assert manager.drain()
        manager.stop()
    once = ["startup", "RUNNING", "{}", "SUCCESS", "close"]
    assert recorder.told == [each.format(message) for message in ("first", "second") for each in once]
    assert len((tmp_path / "app.log").read_text().splitlines()) == 2


def on_the_apps_loop() -> AsyncRecorder:
    observer = AsyncRecorder()
    observer.loop = "app"
    return observer


ALL = ["startup", "RUNNING", "hello", "SUCCESS", "close"]


@pytest.mark.anyio
@pytest.mark.parametrize("added", ["in the users start-up", "after ours"])
async def test_all_of_an_observer_is_awaited_on_the_apps_loop_from_its_startup_to_its_close(
    start: Callable[..., TaskManager], added: str
) -> None:
    observer = on_the_apps_loop()
    manager = start(observers=[observer])

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if added == "in the users start-up":
            manager.add_task(task_log, "hello")
        yield

    app = FastAPI(lifespan=lifespan)
    manager.init_app(app)
    async with app.router.lifespan_context(app):
        if added == "after ours":
            manager.add_task(task_log, "hello")
        assert await manager.adrain()
    assert observer.told == ALL
    assert observer.loops == {asyncio.get_running_loop()}


@pytest.mark.anyio
async def test_a_start_on_the_apps_own_thread_does_not_wait_for_a_startup_on_its_loop(
    start: Callable[..., TaskManager],
) -> None:
    observer = on_the_apps_loop()
    manager = start(observers=[observer])
    await manager.startup()
    await asyncio.to_thread(manager.stop)
    manager.add_task(task_log, "hello")
    assert observer.told == ["startup", "close"], "the loop has not had a turn"
    assert await manager.adrain()
    await manager.shutdown()
    assert observer.told == ["startup", "close", *ALL]
    assert observer.loops == {asyncio.get_running_loop()}


@pytest.mark.anyio
async def test_the_loop_of_an_app_that_failed_to_start_is_not_the_apps(start: Callable[..., TaskManager]) -> None:
    observer = on_the_apps_loop()
    manager = start(observers=[observer])

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        raise OSError("no database")
        yield

    app = FastAPI(lifespan=lifespan)
    manager.init_app(app)
    with pytest.raises(OSError, match="no database"):
        async with app.router.lifespan_context(app):
            pass
    manager.add_task(task_log, "hello")
    assert await manager.adrain()
    await asyncio.to_thread(manager.stop)
    assert observer.told == ALL
    assert asyncio.get_running_loop() not in observer.loops


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"capture_logging": "loud"}, "capture_logging='loud'"),
        ({"observers": [Recorder(), Recorder()]}, "'Recorder' is there 2 times"),
        ({"observers": [FileLogger("app.log")], "log_file": "app.log"}, "app.log"),
        ({"observers": ["app.log"]}, "'app.log'"),
        ({"log_file": "app.log", "log_file_mode": "rotated"}, "mode='rotated'"),
    ],
)
def test_what_cannot_be_used_is_refused_when_the_manager_is_made(
    start: Callable[..., TaskManager], given: dict[str, Any], named: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        start(**given)
    assert named in str(refused.value)
