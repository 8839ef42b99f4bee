"""``on_store_error="refuse"``: an app whose store cannot be used serves on and takes no tasks."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import Depends, FastAPI, Request, WebSocket
from fastapi.responses import PlainTextResponse
from fastapi.testclient import TestClient

from otel_taskflow import ManagedBackgroundTasks, StoreError, StoreUnavailableError, TaskAdmin, TaskManager
from otel_taskflow.health import FAILED, OK


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[TaskManager]:
    """One with a file in the place of its folder."""
    (tmp_path / "state").write_text("a file")
    manager = TaskManager(dir=str(tmp_path / "state"), on_store_error="refuse")
    yield manager
    manager.stop()


def app_with(manager: TaskManager, ran: list[str]) -> FastAPI:
    app = FastAPI()
    TaskAdmin(app, manager, insecure=True, print_link=False)

    @app.post("/")
    async def route(tasks: ManagedBackgroundTasks = Depends(manager.get_tasks)) -> None:
        tasks.add_task(ran.append, "it ran")

    @app.get("/")
    async def other() -> str:
        return "served"

    @app.websocket("/")
    async def talk(websocket: WebSocket, tasks: ManagedBackgroundTasks = Depends(manager.get_tasks)) -> None:
        tasks.add_task(ran.append, "it ran")

    return app


@pytest.mark.failure("S3")
def test_it_starts_and_refuses_tasks_with_the_remedy(
    manager: TaskManager, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    manager.start()
    with pytest.raises(StoreUnavailableError, match="refused") as caught:
        manager.add_task(print, "x")
    assert isinstance(caught.value, StoreError)
    assert str(tmp_path / "state") in str(caught.value)
    assert "choose another" in str(caught.value)
    assert "tasks are refused" in caplog.text
    assert manager.runtime.engine.unfinished == 0
    with pytest.raises(StoreUnavailableError):
        manager.add_task(print, "x", idempotency_key="once")


@pytest.mark.failure("S3")
def test_nothing_says_that_tasks_are_kept_then(
    manager: TaskManager, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    app = FastAPI()
    TaskAdmin(app, manager)
    with caplog.at_level(logging.INFO, "otel_taskflow"), TestClient(app):
        said = capfd.readouterr().err
    assert "otel_taskflow: tasks are refused, until this process ends: " in said
    assert "are kept in" not in said + caplog.text


@pytest.mark.failure("S3")
def test_the_dashboard_says_so_and_the_app_is_not_ready(manager: TaskManager) -> None:
    with TestClient(app_with(manager, [])) as client:
        assert client.get("/").json() == "served"
        assert client.get("/tasks/readyz").status_code == 503
        assert client.get("/tasks/livez").status_code == 200
        report = client.get("/tasks/health").json()
        assert client.get("/tasks").status_code == 200
    assert report["state"] == FAILED
    [store] = [each for each in report["parts"] if each["part"] == "store"]
    assert (store["state"], store["remedy"]) == (FAILED, "put that right and start again")
    assert "tasks are refused" in store["why"]
    assert {each["state"] for each in report["parts"] if each["part"] != "store"} == {OK}


@pytest.mark.failure("S3")
def test_a_route_that_adds_a_task_answers_503_and_nothing_runs(manager: TaskManager) -> None:
    ran: list[str] = []
    with TestClient(app_with(manager, ran)) as client:
        answer = client.post("/")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
        assert answer.json() == {"detail": "tasks cannot be kept at the moment"}
        with pytest.raises(StoreUnavailableError), client.websocket_connect("/"):
            pass
    assert ran == []


@pytest.mark.failure("S3")
@pytest.mark.parametrize("handled", [StoreUnavailableError, StoreError])
@pytest.mark.parametrize("is_async", [True, False])
def test_an_app_that_handles_the_error_answers_itself(
    manager: TaskManager, handled: type[Exception], *, is_async: bool
) -> None:
    app = app_with(manager, [])

    def plain(request: Request, error: Exception) -> PlainTextResponse:
        return PlainTextResponse("later", 418)

    async def coroutine(request: Request, error: Exception) -> Any:
        return plain(request, error)

    app.add_exception_handler(handled, coroutine if is_async else plain)
    with TestClient(app) as client:
        answer = client.post("/")
    assert (answer.status_code, answer.text) == (418, "later")


@pytest.mark.failure("S3")
def test_with_a_store_that_works_it_takes_tasks(tmp_path: Path) -> None:
    manager = TaskManager(dir=str(tmp_path / "state"), on_store_error="refuse")
    ran: list[str] = []
    with TestClient(app_with(manager, ran)) as client:
        assert client.post("/").status_code == 200
        assert client.get("/tasks/readyz").status_code == 200
    assert ran == ["it ran"]
