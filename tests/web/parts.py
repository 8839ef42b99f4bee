"""A store with hand-made rows behind the public face of a manager, and clients for it."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from otel_taskflow.errors import TaskNotFoundError, TaskNotRegisteredError, TaskStateError
from otel_taskflow.health import OK, HealthReport, PartHealth, report_of
from otel_taskflow.model import AttemptOutcome, AttemptRow, ErrorInfo, LogRow, SpanIdentity, TaskRow, TaskStatus
from otel_taskflow.ports import StoreReader, StoreWrite
from otel_taskflow.stores.opening import open_store
from otel_taskflow.values.redaction import Redaction
from otel_taskflow.web import TaskAdmin

TOKEN = "a-token-of-more-than-thirty-two-characters"
BEARER = {"authorization": f"Bearer {TOKEN}"}
SECOND = 1_000_000_000
NOON = 1_767_268_800 * SECOND
"""2026-01-01T12:00:00Z"""
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\u2028'\"&"


class Backend:
    """What a TaskManager is to the web, over a store in memory."""

    def __init__(self) -> None:
        self.store = open_store("memory", None)
        self.store.writer.open()
        self.behind = 0
        self.token = TOKEN
        self.trusted_client = False
        self.is_disabled = False
        self.verbs: list[tuple[str, str, str]] = []
        self.checks: list[Callable[[], None]] = []
        self.installed: list[Any] = []
        self.stop_callbacks: list[Callable[[], None]] = []
        self.callback_was_taken_back = threading.Event()
        self.parts = [PartHealth("store", OK)]
        self.is_ready = True
        self.health_callbacks: list[Callable[[HealthReport], None]] = []
        self._readers: dict[asyncio.AbstractEventLoop, StoreReader] = {}
        self._offset = 0

    def write(
        self, tasks: Sequence[TaskRow] = (), attempts: Sequence[AttemptRow] = (), logs: Sequence[LogRow] = ()
    ) -> int:
        self._offset += 1
        change: int = self.store.writer.write(StoreWrite("journal", self._offset, tasks, attempts, logs))
        return change

    def stop(self) -> None:
        for callback in list(self.stop_callbacks):
            callback()

    # As a TaskManager

    def init_app(self, app: Any) -> None:
        pass

    def install(self, app: Any) -> None:
        self.installed.append(app)

    def add_startup_check(self, check: Callable[[], None]) -> None:
        self.checks.append(check)

    def reader(self) -> StoreReader:
        loop = asyncio.get_running_loop()
        if loop not in self._readers:
            self._readers[loop] = self.store.reader()
        return self._readers[loop]

    async def level(self, timeout: float = 0.25) -> int:
        return self.behind

    async def cancel(self, task_id: str, actor: str = "anonymous") -> TaskRow:
        row = await self._row(task_id)
        if row.status not in (TaskStatus.PENDING, TaskStatus.RUNNING):
            raise TaskStateError(f"task {task_id} is {row.status.value}")
        self.verbs.append(("cancel", task_id, actor))
        return row._replace(status=TaskStatus.CANCELLED)

    async def retry(self, task_id: str, actor: str = "anonymous") -> TaskRow:
        row = await self._row(task_id)
        if row.status not in (TaskStatus.FAILED, TaskStatus.INTERRUPTED):
            raise TaskStateError(f"task {task_id} is {row.status.value}")
        if row.name == "gone":
            raise TaskNotRegisteredError(f"no function is registered as {row.name!r}")
        self.verbs.append(("retry", task_id, actor))
        return row._replace(task_id="the-new-one", status=TaskStatus.PENDING, retry_of=task_id)

    @property
    def dropped(self) -> Mapping[str, int]:
        return {}

    @property
    def kept_in(self) -> str:
        return "memory, until this process ends"

    def health(self) -> HealthReport:
        return report_of(self.parts, NOON)

    def on_health(self, callback: Callable[[HealthReport], None]) -> Callable[[], None]:
        self.health_callbacks.append(callback)
        return lambda: self.health_callbacks.remove(callback)

    def become(self, *parts: PartHealth) -> None:
        """Be in this state from now on, and say so as the watch does."""
        self.parts = list(parts)
        for callback in list(self.health_callbacks):
            callback(self.health())

    def access_token(self) -> str:
        return self.token

    def redacted(self, value: Any) -> Any:
        return Redaction().value(value)

    def on_stop(self, callback: Callable[[], None]) -> Callable[[], None]:
        self.stop_callbacks.append(callback)

        def take_back() -> None:
            self.stop_callbacks.remove(callback)
            self.callback_was_taken_back.set()

        return take_back

    async def _row(self, task_id: str) -> TaskRow:
        detail = await self.reader().get_task(task_id)
        if detail is None:
            raise TaskNotFoundError(f"no task has the id {task_id!r}")
        return detail.task


class Hanging:
    """A reader none of whose answers ever comes."""

    def __getattr__(self, _name: str) -> Any:
        return hang


async def hang(*_given: Any) -> Any:
    await asyncio.Event().wait()


HANGS = pytest.mark.parametrize(("part", "hanging"), [("reader", Hanging), ("level", hang)], ids=["rows", "level"])


def task(task_id: str = "t1", **given: Any) -> TaskRow:
    values: dict[str, Any] = {"name": "send_email", "status": TaskStatus.PENDING, "created_at": NOON, **given}
    return TaskRow(task_id=task_id, **values)


def attempt(number: int, task_id: str = "t1", **given: Any) -> AttemptRow:
    values: dict[str, Any] = {
        "started_at": NOON + number * SECOND,
        "span": SpanIdentity(f"{number + 1:032x}", f"{number + 1:016x}"),
        "worker": "host:1",
        **given,
    }
    return AttemptRow(task_id=task_id, attempt=number, **values)


def line(seq: int, attempt_number: int = 0, task_id: str = "t1", **given: Any) -> LogRow:
    values: dict[str, Any] = {"time": NOON + seq * SECOND, "level": "info", "message": f"line {seq}", **given}
    return LogRow(task_id, attempt_number, seq, **values)


def write_retried_task(backend: Backend) -> None:
    """``t1``: failed, failed, succeeded; two lines an attempt, the second one a warning."""
    error = ErrorInfo("TimeoutError", "too slow", "Traceback ...\nTimeoutError: too slow")
    failed: dict[str, Any] = {
        "ended_at": NOON + 9 * SECOND,
        "duration": SECOND // 2,
        "outcome": AttemptOutcome.FAILED,
        "error": error,
    }
    row = task(
        status=TaskStatus.SUCCESS,
        args=json.dumps({"args": [7], "kwargs": {"password": "hunter2", "to": "a@example.com"}}),
        tags={"customer": "7"},
        started_at=NOON,
        ended_at=NOON + 3 * SECOND,
        attempts=3,
        max_attempts=4,
        span=SpanIdentity("a" * 32, "b" * 16),
        log_count=6,
    )
    succeeded = {**failed, "error": None, "outcome": AttemptOutcome.SUCCEEDED}
    attempts = [attempt(0, **failed), attempt(1, **failed), attempt(2, **succeeded)]
    logs = [
        line(seq, (seq - 1) // 2, level="warning" if seq % 2 == 0 else "info", extra={"n": seq}) for seq in range(1, 7)
    ]
    backend.write([row], attempts, logs)


def make_app(backend: Any, **options: Any) -> FastAPI:
    app = FastAPI()

    @app.get("/hello")
    async def hello() -> str:
        return "hello"

    TaskAdmin(app, backend, **options)
    return app


def client(app: Any, headers: dict[str, str] | None = None, **transport: Any) -> httpx.AsyncClient:
    """A client without credentials, unless ``headers`` holds some."""
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, **transport), base_url="http://localhost", headers=headers or {}
    )


async def get(backend: Backend, path: str, **options: Any) -> httpx.Response:
    """The answer to one question of somebody who may ask."""
    async with client(make_app(backend, **options), BEARER) as program:
        return await program.get(path)


def basic(user: str, password: str, encoding: str = "utf-8") -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode(encoding)).decode()}
