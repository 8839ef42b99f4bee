"""Two managers in one app: a task goes to the manager whose list it was added to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException
from fastapi.testclient import TestClient

from otel_taskflow import TaskManager
from otel_taskflow.model import TaskStatus

ran: list[str] = []


def work(name: str) -> None:
    ran.append(name)


@pytest.fixture
def managers(tmp_path: Path) -> Iterator[tuple[TaskManager, TaskManager]]:
    ran.clear()
    pair = TaskManager(dir=str(tmp_path), name="one"), TaskManager(dir=str(tmp_path / "two"), name="two")
    yield pair
    for manager in pair:
        manager.stop()


def statuses(manager: TaskManager, *ids: str) -> list[TaskStatus]:
    assert manager.drain()
    rows = manager.runtime.store.writer.load_tasks(ids)
    return [rows[task_id].status for task_id in ids]


@pytest.mark.parametrize("installed", [[], [0], [1], [0, 1]], ids=["none", "first", "second", "both"])
@pytest.mark.parametrize("fails", [False, True])
def test_each_gets_the_tasks_of_its_own_list(
    managers: tuple[TaskManager, TaskManager], installed: list[int], *, fails: bool
) -> None:
    one, two = managers
    app, ids = FastAPI(), []
    for manager in managers:
        manager.init_app(app)
    for index in installed:
        managers[index].install(app)

    @app.post("/")
    def route(a=Depends(one.get_tasks), b=Depends(two.get_tasks)) -> None:
        ids.extend([a.add_task(work, "one"), b.add_task(work, "two"), a.add_task(work, "three")])
        if fails:
            raise HTTPException(409)

    with TestClient(app) as client:
        assert client.post("/").status_code == (409 if fails else 200)
        expected = TaskStatus.CANCELLED if fails else TaskStatus.SUCCESS
        assert statuses(one, ids[0], ids[2]) == [expected] * 2
        assert statuses(two, ids[1]) == [expected]
    assert ran == ([] if fails else ["one", "two", "three"])


def test_of_two_installed_managers_the_last_has_the_plain_tasks_and_the_other_none(
    managers: tuple[TaskManager, TaskManager],
) -> None:
    one, two = managers
    app, ids = FastAPI(), []
    for manager in managers:
        manager.init_app(app)
        manager.install(app)

    @app.post("/")
    def route(plain: BackgroundTasks, a=Depends(one.get_tasks)) -> None:
        ids.extend([a.add_task(work, "one"), plain.add_task(work, "plain")])  # type: ignore[func-returns-value]

    with TestClient(app) as client:
        assert client.post("/").status_code == 200
        assert statuses(one, ids[0]) == statuses(two, ids[1]) == [TaskStatus.SUCCESS]
    assert ran == ["one", "plain"]
