"""``TestClient`` without ``with``: no lifespan runs, and each request has an event loop that ends with it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import Depends, FastAPI, Response
from fastapi.testclient import TestClient

from otel_taskflow import ManagedBackgroundTasks, TaskManager
from otel_taskflow.model import TaskStatus

done: list[str] = []


async def slow() -> None:
    await asyncio.sleep(0.1)
    done.append("slow")


@pytest.fixture(params=[False, True], ids=["real", "hermetic"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TaskManager]:
    done.clear()
    manager = TaskManager(dir=str(tmp_path), testing=request.param)
    yield manager
    manager.stop()


@pytest.mark.parametrize("kind", ["eager", "detached", "outside the request", "own background"])
@pytest.mark.parametrize("route_kind", ["async", "plain"])
def test_an_async_task_that_no_request_waits_for_completes(manager: TaskManager, kind: str, route_kind: str) -> None:
    app = FastAPI()
    manager.init_app(app)
    task = manager.task(eager=kind == "eager", detached=kind == "detached")(slow)
    ids: list[str] = []

    def route(tasks: ManagedBackgroundTasks = Depends(manager.get_tasks)) -> Response:
        ids.append(manager.add_task(task) if kind.startswith("outside") else tasks.add_task(task))
        return Response(background=ManagedBackgroundTasks(manager) if kind == "own background" else None)

    async def async_route(tasks: ManagedBackgroundTasks = Depends(manager.get_tasks)) -> Response:
        return route(tasks)

    app.post("/")(async_route if route_kind == "async" else route)
    assert TestClient(app).post("/").status_code == 200
    assert manager.drain()
    assert done == ["slow"]
    row = manager.runtime.store.writer.load_tasks(ids)[ids[0]]
    assert (row.status, row.reason) == (TaskStatus.SUCCESS, None)
