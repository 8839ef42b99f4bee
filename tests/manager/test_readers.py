"""The readers of a store end with their manager, each on its own event loop."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI

from otel_taskflow import TaskManager
from otel_taskflow.manager import readers as readers_module
from otel_taskflow.stores.memory import MemoryStore
from tests.processes.waiting import until

PATIENCE = 10.0


class Noting(MemoryStore):
    """Notes on which loops its readers were closed."""

    def __init__(self) -> None:
        super().__init__()
        self.closed_on: list[asyncio.AbstractEventLoop] = []
        self.error: Exception | None = None

    def reader(self) -> Any:
        return _Reader(self)


class _Reader:
    def __init__(self, store: Noting) -> None:
        self._store = store

    async def aclose(self) -> None:
        await asyncio.sleep(0.01)
        self._store.closed_on.append(asyncio.get_running_loop())
        if self._store.error is not None:
            raise self._store.error


@pytest.fixture
def store() -> Noting:
    return Noting()


@pytest.fixture
def manager(store: Noting) -> Iterator[TaskManager]:
    manager = TaskManager(store=store)
    yield manager
    manager.close()


@pytest.fixture
def beside() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop on another thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join(PATIENCE)
    loop.close()


def take_reader(manager: TaskManager, loop: asyncio.AbstractEventLoop) -> None:
    async def take() -> None:
        assert manager.reader() is manager.reader()

    asyncio.run_coroutine_threadsafe(take(), loop).result(PATIENCE)


def test_an_app_that_ends_has_closed_its_reader(manager: TaskManager, store: Noting) -> None:
    app = FastAPI()
    manager.init_app(app)

    async def live() -> asyncio.AbstractEventLoop:
        async with app.router.lifespan_context(app):
            manager.reader()
        assert len(store.closed_on) == 1
        return asyncio.get_running_loop()

    assert [asyncio.run(live())] == store.closed_on


def test_readers_of_several_loops_are_closed_on_them_and_those_of_ended_loops_left(
    manager: TaskManager, store: Noting, beside: asyncio.AbstractEventLoop
) -> None:
    async def take() -> None:
        manager.reader()

    asyncio.run(take())
    take_reader(manager, beside)
    manager.stop()
    assert store.closed_on == [beside]
    manager.stop()
    take_reader(manager, beside)
    manager.stop()
    assert store.closed_on == [beside] * 2


def test_a_stop_on_the_loop_itself_does_not_wait_for_it(manager: TaskManager, store: Noting) -> None:
    async def live() -> None:
        manager.reader()
        manager.stop()
        assert store.closed_on == []
        await asyncio.sleep(0.1)
        assert store.closed_on == [asyncio.get_running_loop()]

    asyncio.run(live())


def test_a_loop_that_is_held_does_not_hold_the_stop(
    manager: TaskManager, store: Noting, beside: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers_module, "PATIENCE", 0.1)
    goes_on = threading.Event()
    take_reader(manager, beside)
    beside.call_soon_threadsafe(goes_on.wait, PATIENCE)
    begun = time.monotonic()
    manager.stop()
    assert time.monotonic() - begun < PATIENCE / 2
    assert store.closed_on == []
    goes_on.set()
    until(lambda: store.closed_on == [beside])


def test_a_reader_that_cannot_be_closed_is_told_and_the_stop_goes_on(
    manager: TaskManager, store: Noting, beside: asyncio.AbstractEventLoop, caplog: pytest.LogCaptureFixture
) -> None:
    store.error = ValueError("no such server")
    take_reader(manager, beside)
    manager.stop()
    assert not manager.is_started
    assert "a reader of the store could not be closed: no such server" in caplog.text
