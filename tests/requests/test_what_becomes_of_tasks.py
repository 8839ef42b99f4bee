"""What becomes of a request's tasks: the table of the architecture page, row by row."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any

import pytest
from fastapi import BackgroundTasks, Depends, HTTPException, Response
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient
from pydantic import BaseModel
from starlette.background import BackgroundTask

from otel_taskflow import ManagedBackgroundTasks
from otel_taskflow.model import TaskStatus
from tests.requests.conftest import Site


class Strict(BaseModel):
    number: int


def add_to(site: Site, tasks: ManagedBackgroundTasks) -> None:
    site.ids.append(tasks.add_task(site.note, "task"))


def assert_ran(site: Site) -> None:
    assert site.row().status is TaskStatus.SUCCESS
    assert site.happened.count("task") == 1


def assert_cancelled(site: Site) -> None:
    row = site.row()
    assert (row.status, row.reason, row.attempts) == (TaskStatus.CANCELLED, "request_failed", 0)
    assert "task" not in site.happened


def test_a_held_task_can_be_cancelled_by_the_verb(site: Site) -> None:
    @site.app.post("/")
    async def route(tasks=Depends(site.manager.get_tasks)) -> str:
        add_to(site, tasks)
        tasks.add_task(site.note, "other")
        return (await site.manager.cancel(site.ids[0])).status.value

    assert site.client.post("/").json() == "cancelled"
    row = site.row()
    assert (row.status, row.reason, row.attempts) == (TaskStatus.CANCELLED, "user", 0)
    assert site.happened == ["other"]


@pytest.mark.parametrize("is_alone", [False, True])
def test_a_detached_task_on_a_list_made_by_hand_starts_when_the_response_has_left(site: Site, is_alone: bool) -> None:
    left = threading.Event()
    may_end = threading.Event()

    def detached() -> None:
        assert left.is_set()
        site.note("task")
        may_end.set()

    site.manager.task(detached=True, name="detached")(detached)

    def by_hand(plain: BackgroundTasks) -> ManagedBackgroundTasks:
        return ManagedBackgroundTasks(site.manager, plain)

    @site.app.post("/")
    def route(tasks=Depends(by_hand)) -> None:
        if not is_alone:
            tasks.add_task(may_end.wait, 10)
        site.ids.append(tasks.add_task(detached))
        left.set()

    assert site.post() == 200
    assert_ran(site)


def test_a_success_releases_them(site: Site) -> None:
    @site.app.post("/")
    def route(tasks=Depends(site.manager.get_tasks)) -> None:
        add_to(site, tasks)

    assert site.post() == 200
    assert_ran(site)


@pytest.mark.parametrize("status", [400, 409, 503])
def test_an_http_exception_cancels_them(site: Site, status: int) -> None:
    @site.app.post("/")
    def route(tasks=Depends(site.manager.get_tasks)) -> None:
        add_to(site, tasks)
        raise HTTPException(status)

    assert site.post() == status
    assert_cancelled(site)


def test_an_exception_cancels_them(site: Site) -> None:
    @site.app.post("/")
    async def route(tasks=Depends(site.manager.get_tasks)) -> None:
        add_to(site, tasks)
        raise ValueError("no")

    assert site.post() == 500
    assert_cancelled(site)


@pytest.mark.parametrize("scope", ["function", "request"])
def test_an_exception_that_a_dependency_swallows_cancels_them(site: Site, scope: Any) -> None:
    async def swallowing() -> AsyncIterator[None]:
        with suppress(KeyError):
            yield

    @site.app.post("/", dependencies=[Depends(swallowing, scope=scope)])
    async def route(tasks=Depends(site.manager.get_tasks)) -> None:
        site.ids.append(tasks.add_task(site.note, "task"))
        raise KeyError("no")

    assert site.post() == 500
    assert (site.row().status, site.row().reason) == (TaskStatus.CANCELLED, "request_failed")


def test_a_request_that_is_answered_while_an_exception_is_handled_around_it_is_no_failed_one(site: Site) -> None:
    async def in_spite_of_all(scope: Any, receive: Any, send: Any) -> None:
        try:
            raise LookupError("handled around the request")
        except LookupError:
            await site.app(scope, receive, send)

    @site.app.post("/")
    async def route(tasks=Depends(site.manager.get_tasks)) -> None:
        site.ids.append(tasks.add_task(site.note, "task"))

    assert TestClient(in_spite_of_all).post("/").status_code == 200
    assert site.row().status is TaskStatus.SUCCESS


def test_the_rest_of_a_list_made_by_hand_runs_although_a_plain_task_on_it_raises(site: Site) -> None:
    def fails() -> None:
        raise ValueError("no")

    @site.app.post("/")
    async def route() -> Response:
        tasks = ManagedBackgroundTasks(site.manager)
        site.ids.append(tasks.add_task(site.note, "first"))
        tasks.tasks.append(BackgroundTask(fails))
        site.ids.append(tasks.add_task(site.note, "rest"))
        return Response(background=tasks)

    site.post()
    assert [row.status for row in site.rows()] == [TaskStatus.SUCCESS] * 2
    assert site.happened == ["first", "rest"]


def test_a_later_dependency_that_refuses_cancels_them(site: Site) -> None:
    def early(tasks=Depends(site.manager.get_tasks)) -> None:
        add_to(site, tasks)

    def guard() -> None:
        raise HTTPException(401)

    @site.app.post("/", dependencies=[Depends(early), Depends(guard)])
    def route() -> None:
        """Never reached."""

    assert site.post() == 401
    assert_cancelled(site)


def test_a_request_that_does_not_validate_cancels_them(site: Site) -> None:
    def early(tasks=Depends(site.manager.get_tasks)) -> None:
        add_to(site, tasks)

    @site.app.post("/", dependencies=[Depends(early)])
    def route(body: Strict) -> None:
        """Never reached."""

    assert site.post(json={"number": "x"}) == 422
    assert_cancelled(site)


def test_a_response_that_does_not_validate_cancels_them(site: Site) -> None:
    @site.app.post("/", response_model=Strict)
    def route(tasks=Depends(site.manager.get_tasks)) -> Any:
        add_to(site, tasks)
        return {"number": "x"}

    assert site.post() == 500
    assert_cancelled(site)


def test_a_commit_that_fails_before_the_response_cancels_them(site: Site) -> None:
    def session() -> Iterator[None]:
        yield
        raise RuntimeError("cannot commit")

    @site.app.post("/")
    def route(state=Depends(session, scope="function"), tasks=Depends(site.manager.get_tasks)) -> None:
        add_to(site, tasks)

    assert site.post() == 500
    assert_cancelled(site)


def test_a_teardown_that_fails_after_the_response_does_not_harm_them(site: Site) -> None:
    def session() -> Iterator[None]:
        yield
        raise RuntimeError("cannot close")

    @site.app.post("/", dependencies=[Depends(session)])
    def route(tasks=Depends(site.manager.get_tasks)) -> None:
        add_to(site, tasks)

    site.post()
    assert_ran(site)


def test_a_route_with_a_background_task_of_its_own_runs_them_too(site: Site) -> None:
    @site.app.post("/")
    def route(tasks=Depends(site.manager.get_tasks)) -> Response:
        add_to(site, tasks)
        own = BackgroundTasks()
        own.add_task(site.note, "own")
        return Response(background=own)

    assert site.post() == 200
    assert_ran(site)
    assert site.happened.count("own") == 1


def test_a_stream_that_ends_releases_them(site: Site) -> None:
    @site.app.post("/")
    def route(tasks=Depends(site.manager.get_tasks)) -> StreamingResponse:
        add_to(site, tasks)
        return StreamingResponse(iter(["a", "b"]))

    assert site.post() == 200
    assert_ran(site)


def test_a_stream_that_fails_half_way_runs_them_since_its_response_had_left(site: Site) -> None:
    async def body() -> AsyncIterator[str]:
        yield "a"
        raise RuntimeError("half-way")

    @site.app.post("/")
    def route(tasks=Depends(site.manager.get_tasks)) -> StreamingResponse:
        add_to(site, tasks)
        return StreamingResponse(body())

    site.post()
    assert_ran(site)


def test_one_that_is_added_while_the_response_leaves_runs_though_it_fails_half_way(site: Site) -> None:
    @site.app.post("/")
    def route(tasks=Depends(site.manager.get_tasks)) -> StreamingResponse:
        async def body() -> AsyncIterator[str]:
            yield "a"
            add_to(site, tasks)
            raise RuntimeError("half-way")

        return StreamingResponse(body())

    site.post()
    assert_ran(site)


def test_one_that_a_dependency_adds_after_the_response_runs(site: Site) -> None:
    def audited(tasks=Depends(site.manager.get_tasks)) -> Iterator[None]:
        yield
        add_to(site, tasks)

    @site.app.post("/", dependencies=[Depends(audited)])
    def route() -> None:
        """Adds none itself."""

    assert site.post() == 200
    assert_ran(site)


def test_one_that_is_added_after_the_request_runs(site: Site) -> None:
    lists: list[ManagedBackgroundTasks] = []

    @site.app.post("/")
    def route(tasks=Depends(site.manager.get_tasks)) -> None:
        lists.append(tasks)

    assert site.post() == 200
    add_to(site, lists[0])
    assert_ran(site)


def test_one_that_is_added_after_the_request_failed_does_not_run(site: Site) -> None:
    def audited(tasks=Depends(site.manager.get_tasks)) -> Iterator[None]:
        try:
            yield
        except RuntimeError:
            add_to(site, tasks)
            raise

    @site.app.post("/", dependencies=[Depends(audited)])
    def route() -> None:
        raise RuntimeError("no")

    assert site.post() == 500
    assert_cancelled(site)


def test_those_that_threads_add_while_the_request_ends_all_run(site: Site) -> None:
    threads: list[threading.Thread] = []

    @site.app.post("/")
    def route(tasks=Depends(site.manager.get_tasks)) -> None:
        thread = threading.Thread(target=lambda: [add_to(site, tasks) for _ in range(50)])
        threads.append(thread)
        thread.start()

    for _ in range(4):
        assert site.post() == 200
    for thread in threads:
        thread.join()
    assert [row.status for row in site.rows()] == [TaskStatus.SUCCESS] * 200
    assert site.happened.count("task") == 200


def test_a_list_that_a_response_was_given_by_hand_starts_later_ones_at_once(site: Site) -> None:
    lists: list[ManagedBackgroundTasks] = []

    @site.app.post("/")
    async def route() -> Response:
        lists.append(ManagedBackgroundTasks(site.manager))
        add_to(site, lists[0])
        return Response(background=lists[0])

    assert site.post() == 200
    add_to(site, lists[0])
    assert [row.status for row in site.rows()] == [TaskStatus.SUCCESS] * 2


def test_a_route_without_tasks_costs_nothing_and_stores_nothing(site: Site) -> None:
    @site.app.post("/")
    def route(tasks=Depends(site.manager.get_tasks)) -> int:
        return len(tasks.tasks)

    assert site.post() == 200
    assert site.rows() == []
    assert site.manager.runtime.writer.end == 0
