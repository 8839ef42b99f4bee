"""The admin on a real manager, in one process and beside others."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from time import monotonic
from typing import IO, Any

import anyio
import httpx
import pytest
from fastapi import Depends, FastAPI

from otel_taskflow import TaskAdmin, TaskManager, task_log
from tests.web.parts import HOSTILE, client
from tests.web.server import Stream

pytestmark = pytest.mark.anyio

OTHER_PROCESS = Path(__file__).parent / "other_process.py"


class Shop:
    """An app with a task of each kind."""

    def __init__(self, **settings: Any) -> None:
        self.tasks = TaskManager(**settings)
        self.app = FastAPI()
        self.may_end = threading.Event()
        self.failures_left = 0
        for task in (self.flaky, self.patient):
            self.tasks.task(retries=1, delay=0.0, name=task.__name__)(task)
        self.app.post("/{name}")(self._add())
        TaskAdmin(self.app, self.tasks, path="/admin/tasks")

    def _add(self) -> Any:
        async def add(name: str, tasks: Any = Depends(self.tasks.get_tasks)) -> Any:
            return tasks.add_task(getattr(self, name), tags={"shop": HOSTILE})

        return add

    def flaky(self) -> None:
        task_log(HOSTILE, level="warning", order=7)
        if self.failures_left:
            self.failures_left -= 1
            raise TimeoutError(HOSTILE)

    async def patient(self) -> None:
        await asyncio.Event().wait()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[httpx.AsyncClient]:
        async with self.app.router.lifespan_context(self.app):
            headers = {"authorization": f"Bearer {self.tasks.access_token()}"}
            async with client(self.app, headers) as program:
                yield program


async def test_a_task_is_seen_with_its_attempts_lines_and_traces_right_after_the_answer() -> None:
    shop = Shop(store="memory")
    shop.failures_left = 1
    async with shop.open() as program:
        task_id = (await program.post("/flaky")).json()
        await shop.tasks.adrain()
        seen = (await program.get(f"/admin/tasks/{task_id}")).json()
        entries = (await program.get(f"/admin/tasks/{task_id}/logs")).json()["entries"]
        text = (await program.get(f"/admin/tasks/{task_id}/logs.txt")).text
    assert (seen["status"], seen["attempt_count"], seen["tags"]) == ("success", 2, {"shop": HOSTILE})
    assert [each["status"] for each in seen["attempts"]] == ["retrying", "succeeded"]
    assert seen["attempts"][0]["error"] == HOSTILE
    assert "TimeoutError" in seen["attempts"][0]["stacktrace"]
    assert len({each["span_id"] for each in seen["attempts"]}) == 2
    assert [(each["seq"], each["attempt"], each["level"]) for each in entries] == [(1, 0, "warning"), (2, 1, "warning")]
    assert (entries[0]["message"], entries[0]["extra"]) == (HOSTILE, {"order": 7})
    assert seen["logs"] == text.splitlines()
    assert [each.startswith("---") for each in seen["logs"]] == [False, True, False]


async def test_a_failed_task_can_be_retried_and_points_to_its_successor() -> None:
    shop = Shop(store="memory")
    shop.failures_left = 2
    async with shop.open() as program:
        first = (await program.post("/flaky")).json()
        await shop.tasks.adrain()
        answer = await program.post(f"/admin/tasks/{first}/retry")
        second = answer.json()["task_id"]
        await shop.tasks.adrain()
        rows = {each["task_id"]: each for each in (await program.get("/admin/tasks")).json()}
        refused = await program.post(f"/admin/tasks/{second}/retry")
    assert (rows[first]["status"], rows[second]["status"]) == ("failed", "success")
    assert (rows[second]["retry_of"], rows[first]["retried_as"]) == (first, second)
    assert refused.status_code == 400


async def test_a_running_task_can_be_cancelled() -> None:
    shop = Shop(store="memory", detached=True)
    async with shop.open() as program:
        task_id = (await program.post("/patient")).json()
        answer = await program.post(f"/admin/tasks/{task_id}/cancel")
        await shop.tasks.adrain()
        assert answer.json()["task_id"] == task_id
        assert (await program.get(f"/admin/tasks/{task_id}")).json()["status"] == "cancelled"
        figures = (await program.get("/admin/tasks/metrics")).json()
    assert (figures["total"], figures["cancelled"]) == (1, 1)


async def test_answers_show_what_was_acknowledged_before_the_question() -> None:
    shop = Shop(store="memory")
    async with shop.open() as program:
        for _ in range(20):
            task_id = (await program.post("/flaky")).json()
            answer = await program.get(f"/admin/tasks/{task_id}")
            assert answer.status_code == 200
            assert "x-taskflow-behind" not in answer.headers


async def test_answers_show_what_other_processes_acknowledged(tmp_path: Path) -> None:
    shop = Shop(dir=str(tmp_path))
    async with shop.open() as program:
        with other_process("add", tmp_path) as process:
            for _ in range(10):
                task_id = await asyncio.to_thread(ask, process)
                assert (await program.get(f"/admin/tasks/{task_id}")).json()["func_name"] == "work"


async def test_an_answer_does_not_wait_for_a_store_that_stands_still(tmp_path: Path) -> None:
    shop = Shop(dir=str(tmp_path))
    async with shop.open() as program:
        first = (await program.post("/flaky")).json()
        assert (await program.get(f"/admin/tasks/{first}")).status_code == 200
        with locked(tmp_path / "tasks.db"):
            later = (await program.post("/flaky")).json()
            for path, status in (("", 200), (f"/{first}", 200), (f"/{later}", 404), ("/dashboard", 200)):
                begin = monotonic()
                answer = await program.get(f"/admin/tasks{path}")
                assert 0.2 < monotonic() - begin < 0.6
                assert answer.status_code == status
                assert int(answer.headers["x-taskflow-behind"]) > 0
        await shop.tasks.adrain()
        answer = await program.get(f"/admin/tasks/{later}")
        assert (answer.status_code, "x-taskflow-behind" in answer.headers) == (200, False)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Somebody else holds the file's write lock; reading goes on."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


async def test_a_server_with_open_streams_stops_at_once(tmp_path: Path) -> None:
    with other_process("serve", tmp_path) as process:
        base, token = (await asyncio.to_thread(ask, process)).split()
        async with (
            httpx.AsyncClient(base_url=base, headers={"authorization": f"Bearer {token}"}, timeout=10) as browser,
            browser.stream("GET", "/tasks/dashboard/stream") as response,
        ):
            seen = Stream(response)
            await seen.until("hello")
            process.send_signal(signal.SIGTERM)
            assert await seen.ends()
        with anyio.fail_after(5):
            await asyncio.to_thread(process.wait)


@contextmanager
def other_process(what: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, str(OTHER_PROCESS), what, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.terminate()


def ask(process: subprocess.Popen[str]) -> str:
    written, read = pipe(process.stdin), pipe(process.stdout)
    written.write("\n")
    written.flush()
    return read.readline().strip()


def pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream
