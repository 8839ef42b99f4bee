"""FastAPI's own BackgroundTasks: nothing is kept."""

from __future__ import annotations

from pathlib import Path

from fastapi import BackgroundTasks, FastAPI

from tests.benchmarks.sides.side import Calls


class Plain:
    """See Side."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.calls = Calls()
        self.app = FastAPI()
        self._noop = self.calls.of_kind(kind)

        @self.app.post("/nothing")
        async def nothing() -> dict[str, str]:
            return {"task_id": ""}

        @self.app.post("/task")
        async def task(tasks: BackgroundTasks) -> dict[str, str]:
            self.calls.on_add()
            tasks.add_task(self._noop)
            return {"task_id": ""}

    async def settled(self, count: int) -> None:
        """Plain tasks are done when their request is."""

    async def told(self) -> None:
        """Nobody is."""


make_side = Plain
