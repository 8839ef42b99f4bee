"""How late the app's loop is: seen while it hangs, and by whom; nothing is harmed by the measuring."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient

from otel_taskflow import ManagedBackgroundTasks, TaskManager
from otel_taskflow.engine.lag import PERIOD, LoopLag
from otel_taskflow.health import OK, Figure, PartHealth

HANG = 1.7
HELD_UP = "event loop has been held up"


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[TaskManager]:
    manager = TaskManager(dir=str(tmp_path))
    yield manager
    manager.stop()


def app_with(manager: TaskManager) -> FastAPI:
    """An app whose routes hold up its loop, each in its own way."""
    app = FastAPI()
    manager.init_app(app)

    @manager.task
    async def careless() -> None:
        time.sleep(HANG)  # noqa: ASYNC251

    async def child() -> None:
        time.sleep(HANG)  # noqa: ASYNC251

    @manager.task
    async def parent() -> None:
        await asyncio.gather(child(), asyncio.sleep(0))

    @app.post("/task")
    async def add(name: str, tasks: ManagedBackgroundTasks = Depends(manager.get_tasks)) -> None:
        tasks.add_task({"careless": careless, "parent": parent}[name])

    @app.post("/route")
    async def blocks() -> None:
        time.sleep(HANG)  # noqa: ASYNC251

    return app


def health_of_manager(manager: TaskManager) -> PartHealth:
    return next(each for each in manager.health().parts if each.part == "manager")


def figures(manager: TaskManager) -> dict[str, Figure]:
    return dict(health_of_manager(manager).figures)


def after_a_beat(manager: TaskManager, path: str) -> dict[str, Figure]:
    """Let the route hold up the loop; the figures when it goes on."""
    with TestClient(app_with(manager)) as client:
        time.sleep(2 * PERIOD)
        assert client.post(path).status_code == 200
        time.sleep(2 * PERIOD)
        assert health_of_manager(manager).state == OK
        return figures(manager)


CULPRITS = {"/task?name=careless": "careless", "/route": None}
if sys.version_info >= (3, 12):
    CULPRITS["/task?name=parent"] = "parent"


@pytest.mark.failure("T2")
@pytest.mark.parametrize("path", CULPRITS)
def test_a_loop_that_is_held_up_is_told_once_with_the_culprit(
    manager: TaskManager, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    found = after_a_beat(manager, path)
    assert isinstance(found["loop_lag_worst"], float)
    assert HANG - PERIOD - 0.1 < found["loop_lag_worst"] < HANG + 5
    assert isinstance(found["loop_lag"], float)
    assert found["loop_lag"] < 1
    assert found["loop_held_by"] == CULPRITS[path]
    [said] = [each for each in caplog.records if HELD_UP in each.getMessage()]
    assert said.levelname == "WARNING"
    assert f"by {'no task of ours' if CULPRITS[path] is None else 'task ' + CULPRITS[path]};" in said.getMessage()


@pytest.mark.failure("T2")
def test_a_loop_that_hangs_is_seen_while_it_hangs(manager: TaskManager) -> None:
    with TestClient(app_with(manager)) as client:
        time.sleep(2 * PERIOD)
        request = threading.Thread(target=client.post, args=("/task?name=careless",))
        request.start()
        time.sleep(HANG - 0.5)
        found = figures(manager)
        request.join()
    assert isinstance(found["loop_lag"], float)
    assert found["loop_lag"] > 0.5
    assert found["loop_held_by"] == "careless"


def test_the_measuring_keeps_no_loop_running_and_goes_on_with_the_next_one() -> None:
    lag = LoopLag()

    async def run(seconds: float) -> None:
        lag.follow(asyncio.get_running_loop())
        await asyncio.sleep(seconds)

    before = time.monotonic()
    asyncio.run(run(0.0))
    assert time.monotonic() - before < PERIOD
    assert lag.look().seconds == 0.0
    asyncio.run(run(1.5 * PERIOD))
    assert 0.0 < lag.look().seconds < 1.0
    assert lag.worst() == lag.look()


@pytest.mark.skipif(not hasattr(time, "pthread_getcpuclockid"), reason="the system keeps no clock for each thread")
def test_what_the_loop_spent_is_that_of_its_thread_and_of_no_other() -> None:
    lag = LoopLag()
    assert lag.spent() is None
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    lag.follow(loop)
    asyncio.run_coroutine_threadsafe(compute(0.2), loop).result(10)
    busy = lag.spent()
    assert busy is not None
    assert busy >= 0.2
    end = time.thread_time() + 0.2
    while time.thread_time() < end:
        pass
    idle = lag.spent()
    assert idle is not None
    assert idle - busy < 0.1
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
    deadline = time.monotonic() + 10
    while lag.spent() is not None:  # Python has joined it, the system is about to
        assert time.monotonic() < deadline
    lag.follow(None)
    assert lag.spent() is None


async def compute(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_a_loop_that_is_closed_is_not_measured() -> None:
    lag, loop = LoopLag(), asyncio.new_event_loop()
    loop.close()
    lag.follow(loop)
    assert lag.worst().seconds == 0.0


def test_hermetic_tests_do_not_measure(tmp_path: Path) -> None:
    manager = TaskManager(dir=str(tmp_path), testing=True)
    with TestClient(app_with(manager)):
        time.sleep(2 * PERIOD)
        assert figures(manager)["loop_lag_worst"] == 0.0
