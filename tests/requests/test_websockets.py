"""WebSocket routes: their tasks start when the conversation has ended well."""

from __future__ import annotations

from contextlib import suppress

import anyio
import pytest
from fastapi import BackgroundTasks, Depends, WebSocket
from starlette.websockets import WebSocketDisconnect

from otel_taskflow.model import TaskStatus
from tests.requests.conftest import Site


def talk(site: Site) -> None:
    with site.client.websocket_connect("/ws") as socket:
        assert socket.receive_text() == "added"
        assert site.happened == []
        socket.send_text("end")


def test_tasks_of_a_websocket_start_when_it_ends(site: Site) -> None:
    @site.app.websocket("/ws")
    async def route(websocket: WebSocket, tasks=Depends(site.manager.get_tasks)) -> None:
        await websocket.accept()
        site.ids.append(tasks.add_task(site.note, "task"))
        await websocket.send_text("added")
        await websocket.receive_text()

    talk(site)
    assert site.row().status is TaskStatus.SUCCESS
    assert site.happened == ["task"]


@pytest.mark.parametrize("order", ["before", "after"])
def test_plain_background_tasks_of_a_websocket_are_managed_with_auto_install(site: Site, order: str) -> None:
    if order == "after":
        site.manager.install(site.app)

    @site.app.websocket("/ws")
    async def route(websocket: WebSocket, tasks: BackgroundTasks) -> None:
        await websocket.accept()
        site.ids.append(tasks.add_task(site.note, "task"))  # type: ignore[func-returns-value, arg-type]
        await websocket.send_text("added")
        await websocket.receive_text()

    if order == "before":
        site.manager.install(site.app)
    talk(site)
    assert site.row().status is TaskStatus.SUCCESS
    assert site.happened == ["task"]


def test_a_client_that_goes_is_the_usual_end(site: Site) -> None:
    @site.app.websocket("/ws")
    async def route(websocket: WebSocket, tasks=Depends(site.manager.get_tasks)) -> None:
        await websocket.accept()
        site.ids.append(tasks.add_task(site.note, "task"))
        await websocket.send_text("added")
        while True:
            await websocket.receive_text()

    with suppress(WebSocketDisconnect):
        talk(site)
    assert site.row().status is TaskStatus.SUCCESS


def test_tasks_of_a_websocket_that_fails_are_cancelled(site: Site) -> None:
    @site.app.websocket("/ws")
    async def route(websocket: WebSocket, tasks=Depends(site.manager.get_tasks)) -> None:
        await websocket.accept()
        site.ids.append(tasks.add_task(site.note, "task"))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), site.client.websocket_connect("/ws"):
        pass
    row = site.row()
    assert (row.status, row.reason) == (TaskStatus.CANCELLED, "request_failed")


def test_a_client_that_goes_is_the_usual_end_for_a_group_of_tasks_too(site: Site) -> None:
    @site.app.websocket("/ws")
    async def route(websocket: WebSocket, tasks=Depends(site.manager.get_tasks)) -> None:
        await websocket.accept()
        site.ids.append(tasks.add_task(site.note, "task"))
        await websocket.send_text("added")
        async with anyio.create_task_group() as group:
            group.start_soon(websocket.receive_text)

    with suppress(BaseException), site.client.websocket_connect("/ws") as socket:
        assert socket.receive_text() == "added"
    assert site.row().status is TaskStatus.SUCCESS
