"""How a request of a hermetic test waits for its tasks: whatever the test has done to the clock."""

from __future__ import annotations

import asyncio
import itertools
import sys
import threading
import time
from collections.abc import Iterator
from unittest.mock import AsyncMock

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient

from otel_taskflow import TaskManager
from otel_taskflow.background import family

PATIENCE = 10.0
WAYS = ("eager", "outside", "nested")
"""In which the request itself does not wait for the task."""


class Site:
    """An app whose tasks take until ``may_end`` is set, and the first step of each of them at least a while."""

    def __init__(self) -> None:
        self.manager = TaskManager(testing=True)
        self.app = FastAPI()
        self.manager.init_app(self.app)
        self.ran: list[str] = []
        self.may_end = threading.Event()

        @self.app.post("/{way}")
        def route(way: str, tasks=Depends(self.manager.get_tasks)) -> None:
            if way == "eager":
                tasks.add_task(self.work, eager=True)
            elif way == "outside":
                self.manager.add_task(self.work)
            else:
                tasks.add_task(self.manager.add_task, self.work)

    async def work(self) -> None:
        assert await asyncio.to_thread(self.may_end.wait, PATIENCE)
        await asyncio.sleep(60)
        self.ran.append("work")

    def post(self, way: str) -> list[str]:
        """What has run when the call returns. The task may end only when the response has left."""
        timer = threading.Timer(0.1, self.may_end.set)
        timer.start()
        with TestClient(self.app) as client:
            client.post(f"/{way}")
            return list(self.ran)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(asyncio, "sleep", AsyncMock())
    monkeypatch.setattr(family, "LIMIT", 5.0)
    made = Site()
    yield made
    made.may_end.set()


@pytest.mark.parametrize("way", WAYS)
def test_a_request_waits_where_sleep_is_patched_and_calls_none_itself(site: Site, way: str) -> None:
    assert site.post(way) == ["work"]
    asyncio.sleep.assert_awaited_once_with(60)  # type: ignore[attr-defined]


@pytest.mark.parametrize("way", WAYS)
def test_a_request_waits_where_time_stands_still(site: Site, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real, now, looks = time.monotonic, time.monotonic(), itertools.count()

    def clock() -> float:
        return (
            now if next(looks) < 10_000 else now + 1000
        )  # so that who waits for it to go on fails, instead of hanging

    ours = [module for name, module in list(sys.modules.items()) if name.partition(".")[0] == "otel_taskflow"]
    for module in [time, *ours]:
        if getattr(module, "monotonic", None) is real:
            monkeypatch.setattr(module, "monotonic", clock)
    assert site.post(way) == ["work"]


def test_a_request_whose_task_does_not_end_ends_after_the_limit_and_says_so(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(family, "LIMIT", 0.05)
    with TestClient(site.app) as client:
        assert client.post("/eager").status_code == 200
        assert site.ran == []
        site.may_end.set()
    assert "the request ends although its tasks " in caplog.text
    assert "have not, 0.05 s after its response" in caplog.text
