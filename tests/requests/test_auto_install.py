"""Routes with plain ``BackgroundTasks``, managed for one app without a change."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, HTTPException, Response, WebSocket
from fastapi.testclient import TestClient

from otel_taskflow import ManagedBackgroundTasks, TaskAdmin, TaskManager, get_task_context
from otel_taskflow.model import TaskStatus
from tests.requests.conftest import Site


def add(site: Site, tasks: BackgroundTasks) -> None:
    site.ids.append(tasks.add_task(site.note, "task"))  # type: ignore[func-returns-value, arg-type]


def test_routes_defined_before_and_after_are_managed(site: Site) -> None:
    @site.app.post("/before")
    def before(tasks: BackgroundTasks) -> None:
        add(site, tasks)

    site.manager.install(site.app)

    @site.app.post("/after")
    async def after(tasks: BackgroundTasks) -> None:
        add(site, tasks)

    assert site.post("/before") == site.post("/after") == 200
    assert [row.status for row in site.rows()] == [TaskStatus.SUCCESS] * 2
    assert site.happened == ["task", "task"]


@pytest.mark.parametrize("is_disabled", [False, True])
def test_the_function_may_be_given_by_name_as_starlette_lets_it(tmp_path: Path, is_disabled: bool) -> None:
    ran: list[str] = []
    app = FastAPI()
    manager = TaskManager(dir=tmp_path, disabled=is_disabled)
    TaskAdmin(app, manager, auto_install=True)

    def note(what: str) -> None:
        ran.append(what)

    @app.post("/")
    def route(tasks: BackgroundTasks) -> None:
        tasks.add_task(func=note, what="task")

    with TestClient(app) as client:
        assert client.post("/").status_code == 200
    assert ran == ["task"]


def test_a_function_given_first_keeps_its_own_parameter_named_func(site: Site) -> None:
    def call(func: str) -> None:
        site.note(func)

    @site.app.post("/")
    def route(tasks=Depends(site.manager.get_tasks)) -> None:
        tasks.add_task(call, func="task")

    assert site.post() == 200
    assert site.happened == ["task"]


def test_routers_included_before_are_managed(site: Site) -> None:
    router = APIRouter()

    @router.post("/here")
    def here(tasks: BackgroundTasks) -> None:
        add(site, tasks)

    site.app.include_router(router, prefix="/sub")
    site.manager.install(site.app)
    assert site.post("/sub/here") == 200
    assert site.row().status is TaskStatus.SUCCESS


@pytest.mark.parametrize("is_nested", [False, True])
@pytest.mark.parametrize("look", ["the admin's own look for collisions", "openapi"])
def test_routers_whose_routes_were_looked_at_before_are_managed(site: Site, look: str, is_nested: bool) -> None:
    inner, outer = APIRouter(), APIRouter()

    @inner.post("/here")
    def here(tasks: BackgroundTasks) -> None:
        add(site, tasks)

    @inner.websocket("/socket")
    async def talk(socket: WebSocket, tasks: BackgroundTasks) -> None:
        await socket.accept()
        add(site, tasks)

    outer.include_router(inner)
    site.app.include_router(outer if is_nested else inner, prefix="/sub")
    if look == "openapi":
        site.app.openapi()
        site.manager.install(site.app)
    else:
        TaskAdmin(site.app, site.manager, auto_install=True)
    assert site.post("/sub/here") == 200
    assert site.row().status is TaskStatus.SUCCESS
    with site.client.websocket_connect("/sub/socket"):
        pass
    assert site.manager.drain(10)
    assert [row.status for row in site.rows()] == [TaskStatus.SUCCESS] * 2


def test_a_dependency_that_takes_background_tasks_is_managed(site: Site) -> None:
    def dependency(tasks: BackgroundTasks) -> None:
        add(site, tasks)

    @site.app.post("/", dependencies=[Depends(dependency)])
    def route() -> None:
        """Has no tasks itself."""

    site.manager.install(site.app)
    assert site.post() == 200
    assert site.row().status is TaskStatus.SUCCESS


def test_a_function_that_its_decorator_gives_something_runs_as_in_plain_background_tasks(site: Site) -> None:
    def with_session(func: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(func)
        def wrapper(*args: Any, dry_run: bool = False, **kwargs: Any) -> None:
            func("session", *args, **kwargs)

        return wrapper

    @with_session
    def send(session: str, user_id: int) -> None:
        site.happened.append(f"{session} {user_id}")

    site.manager.install(site.app)

    @site.app.post("/send")
    def route(tasks: BackgroundTasks) -> None:
        tasks.add_task(send, 1)
        tasks.add_task(send, user_id=2, dry_run=True)

    assert site.post("/send") == 200
    assert site.happened == ["session 1", "session 2"]


def test_a_failing_route_cancels_them(site: Site) -> None:
    site.manager.install(site.app)

    @site.app.post("/")
    def route(tasks: BackgroundTasks) -> None:
        add(site, tasks)
        raise HTTPException(409)

    assert site.post() == 409
    row = site.row()
    assert (row.status, row.reason) == (TaskStatus.CANCELLED, "request_failed")
    assert site.happened == []


def test_a_route_that_returns_them_itself_runs_them_once(site: Site) -> None:
    site.manager.install(site.app)

    @site.app.post("/")
    def route(tasks: BackgroundTasks) -> Response:
        add(site, tasks)
        return Response(background=tasks)

    assert site.post() == 200
    assert site.row().status is TaskStatus.SUCCESS
    assert site.happened == ["task"]


def test_dependencies_stay_open_and_both_kinds_of_list_are_one(site: Site) -> None:
    def session() -> Iterator[None]:
        yield
        site.note("closed")

    site.manager.install(site.app)

    @site.app.post("/", dependencies=[Depends(session)])
    def route(plain: BackgroundTasks, tasks=Depends(site.manager.get_tasks)) -> bool:
        plain.add_task(site.note, "one")
        tasks.add_task(site.note, "two")
        return plain is tasks

    assert site.client.post("/").json() is True
    assert site.happened == ["one", "two", "closed"]


def test_a_managed_list_in_the_annotation_is_the_requests_own(site: Site) -> None:
    @site.app.post("/before")
    def before(tasks: ManagedBackgroundTasks) -> bool:
        add(site, tasks)
        return isinstance(tasks, ManagedBackgroundTasks)

    site.manager.install(site.app)

    @site.app.post("/after")
    async def after(tasks: ManagedBackgroundTasks) -> bool:
        add(site, tasks)
        return isinstance(tasks, ManagedBackgroundTasks)

    assert site.client.post("/before").json() is True
    assert site.client.post("/after").json() is True
    assert [row.status for row in site.rows()] == [TaskStatus.SUCCESS] * 2
    assert site.happened == ["task", "task"]


def test_a_mounted_app_keeps_plain_tasks_until_it_is_installed_itself(site: Site) -> None:
    inner, contexts = FastAPI(), []

    @inner.post("/")
    def route(tasks: BackgroundTasks) -> None:
        tasks.add_task(lambda: contexts.append(get_task_context() is not None))

    site.app.mount("/inner", inner)
    site.manager.install(site.app)
    assert site.post("/inner/") == 200
    site.manager.install(inner)
    assert site.post("/inner/") == 200
    assert contexts == [False, True]


def test_other_apps_of_the_process_keep_plain_tasks(site: Site) -> None:
    site.manager.install(site.app)
    other = FastAPI()
    contexts: list[object] = []

    @other.post("/")
    def route(tasks: BackgroundTasks) -> bool:
        return tasks.add_task(lambda: contexts.append(get_task_context())) is None  # type: ignore[func-returns-value]

    with TestClient(other) as client:
        assert client.post("/").json() is True
    assert contexts == [None]


@pytest.mark.parametrize("is_installed", [False, True])
def test_a_list_made_by_hand_is_released_when_it_is_called(tmp_path: Path, *, is_installed: bool) -> None:
    site = Site(tmp_path)
    if is_installed:
        site.manager.install(site.app)

    @site.app.post("/")
    def route() -> Response:
        tasks = ManagedBackgroundTasks(site.manager)
        add(site, tasks)
        return Response(background=tasks)

    with site.client:
        assert site.post() == 200
        assert site.row().status is TaskStatus.SUCCESS


def test_a_disabled_manager_leaves_everything_as_it_is(tmp_path: Path) -> None:
    manager = TaskManager(dir=str(tmp_path / "none"), disabled=True)
    app, ran = FastAPI(), []
    manager.init_app(app)
    manager.install(app)

    @app.post("/")
    def route(plain: BackgroundTasks, tasks=Depends(manager.get_tasks)) -> str:
        plain.add_task(ran.append, "plain")
        return tasks.add_task(ran.append, "managed")

    with TestClient(app) as client:
        assert client.post("/").json()
    assert ran == ["plain", "managed"]
    assert not (tmp_path / "none").exists()


def test_a_disabled_manager_understands_the_options_of_managed_tasks(tmp_path: Path) -> None:
    manager = TaskManager(dir=str(tmp_path / "none"), disabled=True)
    app, ran = FastAPI(), []
    TaskAdmin(app, manager, auto_install=True)

    @app.post("/")
    def route(tasks: ManagedBackgroundTasks) -> str:
        return tasks.add_task(ran.append, "managed", tags={"a": "b"}, idempotency_key="once", eager=False)

    with TestClient(app) as client:
        assert client.post("/").json()
    assert ran == ["managed"]
    assert not (tmp_path / "none").exists()
