"""How apps are put together: lifespans, mounts, test clients, several apps and managers in a process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient

from otel_taskflow import TaskAdmin, TaskManager
from otel_taskflow.errors import ConfigurationError
from otel_taskflow.model import TaskStatus
from tests.crash.rows import Rows
from tests.servers.running import running

PATIENCE = 10.0


def app_with(manager: TaskManager, happened: list[str], **options: object) -> FastAPI:
    """An app whose one route adds a sync and an async task."""
    app = FastAPI(**options)  # type: ignore[arg-type]
    manager.init_app(app)

    def plain() -> None:
        happened.append("plain")

    async def coroutine() -> None:
        await asyncio.sleep(0)
        happened.append("coroutine")

    @app.post("/")
    def route(tasks=Depends(manager.get_tasks)) -> list[str]:
        return [tasks.add_task(plain), tasks.add_task(coroutine)]

    return app


@pytest.mark.failure("C11")
def test_a_lifespan_of_the_user_begins_before_ours_and_ends_after_it(tmp_path: Path) -> None:
    manager = TaskManager(dir=str(tmp_path))
    happened: list[str] = []
    started = threading.Event()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, str]]:
        happened.append(f"up, started={manager.is_started}")
        yield {"resource": "open"}
        happened.append(f"down, started={manager.is_started}")

    async def long() -> None:
        started.set()
        await asyncio.sleep(0.05)
        happened.append("task ended")

    app = app_with(manager, happened, lifespan=lifespan)
    with TestClient(app):
        assert manager.is_started
        manager.add_task(long)
        assert started.wait(PATIENCE)
    assert happened == ["up, started=False", "task ended", "down, started=False"]


def test_an_app_starts_and_stops_again_and_again(tmp_path: Path) -> None:
    manager = TaskManager(dir=str(tmp_path))
    happened: list[str] = []
    app = app_with(manager, happened)
    for _ in range(3):
        with TestClient(app) as client:
            assert client.post("/").status_code == 200
    assert happened == ["plain", "coroutine"] * 3
    assert [each.task.status for each in Rows(tmp_path).tasks()] == [TaskStatus.SUCCESS] * 6


@pytest.mark.failure("C11")
def test_a_test_client_without_a_lifespan_starts_it_with_the_first_task(tmp_path: Path) -> None:
    manager = TaskManager(dir=str(tmp_path))
    happened: list[str] = []
    attempts: list[int] = []
    app = app_with(manager, happened)

    @manager.task(retries=1, delay=0.05)
    async def flaky() -> None:
        attempts.append(len(attempts))
        if len(attempts) == 1:
            raise ValueError("no")

    @app.post("/flaky")
    async def route(tasks=Depends(manager.get_tasks)) -> str:
        return tasks.add_task(flaky)

    client = TestClient(app)
    assert not manager.is_started
    assert client.post("/").status_code == 200
    assert happened == ["plain", "coroutine"]
    # The retry is due when the loop of its request is gone.
    task_id = client.post("/flaky").json()
    assert manager.drain()
    assert attempts == [0, 1]
    manager.stop()
    assert Rows(tmp_path).task(task_id).task.status is TaskStatus.SUCCESS


@pytest.mark.failure("C11")
def test_a_mounted_app_whose_lifespan_nobody_runs_works(tmp_path: Path) -> None:
    manager = TaskManager(dir=str(tmp_path))
    happened: list[str] = []
    outer = FastAPI()
    outer.mount("/inner", app_with(manager, happened))
    with TestClient(outer) as client:
        assert client.post("/inner/").status_code == 200
        assert manager.drain()
    assert sorted(happened) == ["coroutine", "plain"]
    manager.stop()
    assert [each.task.status for each in Rows(tmp_path).tasks()] == [TaskStatus.SUCCESS] * 2


UNUSED = "the lifespan of its app has not run"


@pytest.mark.failure("C11")
def test_an_app_whose_lifespan_nobody_runs_says_so_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    manager = TaskManager(dir=str(tmp_path))
    client = TestClient(app_with(manager, []))
    assert UNUSED not in caplog.text
    for _ in range(2):
        assert client.post("/").status_code == 200
        manager.stop()
    assert [record.levelname for record in caplog.records if UNUSED in record.getMessage()] == ["WARNING"]


@pytest.mark.failure("C11")
@pytest.mark.parametrize("how", ["hermetic", "without an app", "started by hand", "in a lifespan"])
def test_nobody_is_told_of_a_missing_lifespan_where_none_is_missing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    manager = TaskManager(dir=str(tmp_path), testing=how == "hermetic")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        manager.add_task(print, "in the start-up")
        yield

    app = FastAPI() if how == "without an app" else app_with(manager, [], lifespan=lifespan)
    if how == "started by hand":
        manager.start()
    if how == "in a lifespan":
        with TestClient(app) as client:
            assert client.post("/").status_code == 200
    else:
        manager.add_task(print, "a task")
    assert manager.drain()
    manager.stop()
    assert UNUSED not in caplog.text


def test_the_start_up_of_an_app_adds_tasks_each_time_it_is_started(tmp_path: Path) -> None:
    manager = TaskManager(dir=str(tmp_path))
    happened: list[str] = []

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        manager.add_task(happened.append, "in the start-up")
        yield

    app = app_with(manager, happened, lifespan=lifespan)
    for _ in range(2):
        with TestClient(app):
            assert manager.drain()
    assert happened == ["in the start-up"] * 2


@pytest.mark.failure("C12")
def test_two_apps_share_a_manager_until_the_second_ends(tmp_path: Path) -> None:
    manager = TaskManager(dir=str(tmp_path))
    happened: list[str] = []
    one, two = app_with(manager, happened), app_with(manager, happened)
    with TestClient(one) as first:
        with TestClient(two) as second:
            assert second.post("/").status_code == 200
        assert manager.is_started
        assert first.post("/").status_code == 200
        assert manager.drain()
    assert not manager.is_started
    assert sorted(happened) == ["coroutine"] * 2 + ["plain"] * 2


@pytest.mark.failure("C12")
@pytest.mark.parametrize("is_shared", [True, False])
def test_two_managers_of_one_app_keep_apart(tmp_path: Path, *, is_shared: bool) -> None:
    folders = [tmp_path / "one", tmp_path / ("one" if is_shared else "two")]
    managers = [TaskManager(dir=str(folder), name=name) for folder, name in zip(folders, ("mail", "out"), strict=True)]
    app = FastAPI()
    goes_on, started = threading.Event(), threading.Event()
    runs: list[str] = []

    def work(name: str) -> None:
        runs.append(name)
        started.set()
        goes_on.wait(PATIENCE)

    for manager in managers:
        TaskAdmin(app, manager, path=f"/{manager.name}")
    with TestClient(app):
        running_task = managers[0].add_task(work, "mail")
        assert started.wait(PATIENCE)
        managers[1].stop()
        managers[1].start()
        other = managers[1].add_task(lambda: runs.append("out"))
        assert managers[1].drain()
        assert Rows(folders[1]).task(other).task.status is TaskStatus.SUCCESS
        assert managers[0].drain(0.0) is False
        assert managers[0].runtime.tailer.flush()
        assert Rows(folders[0]).task(running_task).task.status is TaskStatus.RUNNING
        goes_on.set()
        assert managers[0].drain()
    assert runs == ["mail", "out"]
    assert Rows(folders[0]).task(running_task).task.status is TaskStatus.SUCCESS


@pytest.mark.failure("C12")
def test_two_managers_of_one_name_on_one_folder_are_an_error(tmp_path: Path) -> None:
    one, two = (TaskManager(dir=str(tmp_path)) for _ in range(2))
    one.start()
    try:
        with pytest.raises(ConfigurationError, match="name"):
            two.start()
    finally:
        one.stop()
    two.start()
    two.stop()


def test_switched_off_by_the_environment_routes_work_and_nothing_is_kept(tmp_path: Path) -> None:
    command = ("uvicorn", "tests.servers.app:app", "--port", "{port}", "--log-level", "warning")
    with running(tmp_path / "state", *command, OTEL_TASKFLOW_DISABLED="1") as server:
        assert server.post("/quick")
        assert server.request("GET", "/tasks").status_code == 404
        server.terminate()
        assert server.said == ""
    assert not list((tmp_path / "state").iterdir())
