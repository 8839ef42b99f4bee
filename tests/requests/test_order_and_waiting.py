"""In which order tasks and their request go on, and who waits for whom."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextvars import ContextVar

import pytest
from fastapi import BackgroundTasks, Depends

from otel_taskflow import ManagedBackgroundTasks, get_task_context
from otel_taskflow.model import TaskStatus
from tests.requests.conftest import Site

PATIENCE = 10.0


def test_tasks_start_one_after_the_other_in_the_order_added_mixed_with_plain_ones(site: Site) -> None:
    async def note_async(what: str) -> None:
        await asyncio.sleep(0.01)
        site.note(what)

    @site.app.post("/")
    def route(plain: BackgroundTasks, tasks=Depends(site.manager.get_tasks)) -> None:
        tasks.add_task(note_async, "first")
        plain.add_task(site.note, "second")
        tasks.add_task(site.note, "third")
        tasks.add_task(note_async, "fourth")

    site.post()
    assert site.happened == ["first", "second", "third", "fourth"]


def test_dependencies_stay_open_until_the_first_attempts_have_ended(site: Site) -> None:
    def session() -> Iterator[str]:
        yield "open"
        site.note("closed")

    @site.app.post("/")
    def route(state: str = Depends(session), tasks=Depends(site.manager.get_tasks)) -> None:
        tasks.add_task(site.note, f"one {state}")
        tasks.add_task(site.note, f"two {state}")

    site.post()
    assert site.happened == ["one open", "two open", "closed"]


def test_retries_do_not_hold_the_request(site: Site) -> None:
    closed = threading.Event()

    def session() -> Iterator[None]:
        yield
        closed.set()

    @site.manager.task(retries=1)
    def flaky() -> None:
        context = get_task_context()
        assert context is not None
        if context.attempt == 0:
            raise ValueError("no")
        assert closed.wait(PATIENCE)
        site.note("retried")

    @site.app.post("/", dependencies=[Depends(session)])
    def route(tasks=Depends(site.manager.get_tasks)) -> None:
        site.ids.append(tasks.add_task(flaky))

    site.post()
    assert site.row().status is TaskStatus.SUCCESS
    assert site.happened == ["retried"]


def test_a_detached_task_does_not_hold_the_request(site: Site) -> None:
    closed = threading.Event()

    def session() -> Iterator[None]:
        yield
        closed.set()

    @site.manager.task(detached=True)
    def detached() -> None:
        assert closed.wait(PATIENCE)
        site.note("after the request")

    @site.app.post("/", dependencies=[Depends(session)])
    def route(tasks=Depends(site.manager.get_tasks)) -> None:
        site.ids.append(tasks.add_task(detached))

    site.post()
    assert site.row().status is TaskStatus.SUCCESS


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_an_eager_task_starts_before_the_response(site: Site, kind: str) -> None:
    started = threading.Event()

    def eager() -> None:
        started.set()

    def add(tasks: ManagedBackgroundTasks) -> None:
        site.ids.append(tasks.add_task(eager, eager=True))

    async def async_route(tasks=Depends(site.manager.get_tasks)) -> bool:
        add(tasks)
        return await asyncio.to_thread(started.wait, PATIENCE)

    def plain_route(tasks=Depends(site.manager.get_tasks)) -> bool:
        add(tasks)
        return started.wait(PATIENCE)

    site.app.post("/")(async_route if kind == "async" else plain_route)
    assert site.client.post("/").json() is True
    assert site.row().status is TaskStatus.SUCCESS


def test_an_eager_async_task_from_a_plain_route_runs_on_the_apps_loop(site: Site) -> None:
    loops: list[asyncio.AbstractEventLoop] = []

    @site.manager.task(eager=True)
    async def eager() -> None:
        loops.append(asyncio.get_running_loop())

    @site.app.post("/")
    def route(tasks=Depends(site.manager.get_tasks)) -> None:
        site.ids.append(tasks.add_task(eager))

    @site.app.post("/loop")
    async def loop() -> None:
        loops.append(asyncio.get_running_loop())

    site.post()
    assert site.row().status is TaskStatus.SUCCESS
    site.post("/loop")
    assert loops[0] is loops[1]


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_a_task_sees_the_requests_context_variables_and_changes_only_its_own(site: Site, kind: str) -> None:
    user: ContextVar[str] = ContextVar("user", default="nobody")
    seen: list[str] = []

    def look() -> None:
        seen.append(user.get())
        user.set("changed")

    async def look_async() -> None:
        look()

    @site.app.post("/")
    async def route(tasks=Depends(site.manager.get_tasks)) -> None:
        user.set("ada")
        for _ in range(2):
            site.ids.append(tasks.add_task(look_async if kind == "async" else look))

    site.post()
    assert [row.status for row in site.rows()] == [TaskStatus.SUCCESS] * 2
    assert seen == ["ada", "ada"]
