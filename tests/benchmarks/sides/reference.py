"""fastapi-taskflow with its SQLite backend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import Depends, FastAPI
from fastapi_taskflow import ManagedBackgroundTasks, TaskAdmin, TaskManager

from tests.benchmarks.sides.side import Calls, rows_reach


class Reference:
    """See Side."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.calls = Calls()
        self.app = FastAPI()
        self._path = folder / "reference.db"
        self._manager = TaskManager(snapshot_db=str(self._path))
        self._noop = self._manager.task()(self.calls.of_kind(kind))
        TaskAdmin(self.app, self._manager)

        @self.app.post("/nothing")
        async def nothing() -> dict[str, str]:
            return {"task_id": ""}

        @self.app.post("/task")
        async def task(tasks: Any = Depends(self._manager.get_tasks)) -> dict[str, str]:
            self.calls.on_add()
            return {"task_id": tasks.add_task(self._noop)}

    async def add_many(self, count: int, *, eager: bool) -> None:
        """``eager``: all at once, as asyncio tasks; else one after the other, as after a response."""
        tasks = ManagedBackgroundTasks(self._manager)
        for _ in range(count):
            tasks.add_task(self._noop, eager=eager)
        await tasks()

    async def settled(self, count: int) -> None:
        """Each success is written when it happens."""
        await rows_reach(self._path, "SELECT count(*) FROM task_snapshots WHERE status = 'success'", count)

    async def told(self) -> None:
        """Nobody is."""


make_side = Reference
