"""otel_taskflow with its defaults: journal, SQLite store and every consumer. No OpenTelemetry SDK: its API does nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastapi import Depends, FastAPI

from otel_taskflow import TaskAdmin, TaskManager, task_log
from tests.benchmarks.sides.side import Calls, rows_reach


def with_logger(folder: Path, work: Callable[[Callable[[str, int], None]], Any], **providers: Any) -> Any:
    """See ``sides``: inside a task, so that every line is journalled and the consumers run."""
    manager = TaskManager(dir=str(folder / "state"), **providers)
    kept: list[Any] = []

    def line(address: str, count: int) -> None:
        task_log("sending mail", address=address, count=count)

    @manager.task
    def job() -> None:
        kept.append(work(line))

    manager.add_task(job)
    if not manager.drain(60):
        raise TimeoutError("the lines did not all reach the store")
    return kept[0]


class Ours:
    """See Side."""

    def __init__(self, folder: Path, kind: str, **providers: Any) -> None:
        self.calls = Calls()
        self.app = FastAPI()
        self._path = folder / "state" / "tasks.db"
        self.manager = TaskManager(dir=str(folder / "state"), **providers)
        self._noop = self.manager.task(self.calls.of_kind(kind))
        TaskAdmin(self.app, self.manager)

        @self.app.post("/nothing")
        async def nothing() -> dict[str, str]:
            return {"task_id": ""}

        @self.app.post("/task")
        async def task(tasks: Any = Depends(self.manager.get_tasks)) -> dict[str, str]:
            self.calls.on_add()
            return {"task_id": tasks.add_task(self._noop)}

    async def add_many(self, count: int, *, eager: bool) -> None:
        """Outside a request tasks start at once; ``eager`` makes no difference."""
        for _ in range(count):
            self.manager.add_task(self._noop)

    async def settled(self, count: int) -> None:
        """All rows are in the store's own file."""
        await rows_reach(self._path, "SELECT count(*) FROM tasks WHERE status = 'success'", count)

    async def told(self) -> None:
        """No consumer is behind: log records are put off while there are requests, and cost as much later."""
        while any(self.manager.runtime.tailer.lag().values()):
            await asyncio.sleep(0.02)


make_side = Ours
