"""Whatever a task raises, the server serves on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient

from otel_taskflow import TaskManager
from otel_taskflow.model import TaskStatus


class Bare(BaseException):
    """Not even an Exception."""


@pytest.mark.failure("T1")
@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize(
    "error", [SystemExit, KeyboardInterrupt, GeneratorExit, Bare, asyncio.CancelledError, ValueError]
)
def test_a_server_survives_what_its_tasks_raise(tmp_path: Path, error: type[BaseException], kind: str) -> None:
    manager = TaskManager(dir=str(tmp_path))
    app = FastAPI()
    manager.init_app(app)

    def raises() -> None:
        raise error("from the task")

    async def raises_async() -> None:
        raise error("from the task")

    @app.post("/")
    def route(tasks=Depends(manager.get_tasks)) -> list[str]:
        return [tasks.add_task(raises if kind == "sync" else raises_async), tasks.add_task(lambda: None)]

    with TestClient(app) as client:
        raising, after = client.post("/").json()
        assert client.post("/").status_code == 200
        assert manager.drain()
        found = manager.runtime.store.writer.load_tasks([raising, after])
    assert found[raising].status is TaskStatus.FAILED
    assert found[raising].error is not None
    assert found[raising].error.type.rpartition(".")[2] == error.__name__
    assert found[after].status is TaskStatus.SUCCESS
