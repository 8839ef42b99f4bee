"""What the store of a folder says, asked through its public reader."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from otel_taskflow import TaskManager
from otel_taskflow.lifecycle.decide import is_final
from otel_taskflow.model import LogRow, TaskFilter
from otel_taskflow.ports import RollupDelta, StoreReader, TaskDetail
from otel_taskflow.stores.opening import open_store

PATIENCE = 40.0
T = TypeVar("T")


class Rows:
    """Opens the store for each question, so that no connection is kept while processes come and go."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def tasks(self) -> Sequence[TaskDetail]:
        """All tasks with their attempts, oldest first."""

        async def ask(reader: StoreReader) -> list[TaskDetail]:
            page = await reader.list_tasks(TaskFilter(), 1000)
            tasks = [*page.tasks]
            while page.cursor is not None:
                page = await reader.list_tasks(TaskFilter(), 1000, page.cursor)
                tasks += page.tasks
            found = [await reader.get_task(task.task_id) for task in tasks]
            return [each for each in reversed(found) if each is not None]

        return self._ask(ask)

    def task(self, task_id: str | None = None) -> TaskDetail:
        """This task, or the only one."""
        found = self._chosen(task_id)
        assert len(found) == 1, f"{len(found)} tasks"
        return found[0]

    def is_waiting(self, task_id: str) -> bool:
        """Whether the task is in the store and waits for its retry."""
        return any(each.task.waiting_until is not None for each in self._chosen(task_id))

    def _chosen(self, task_id: str | None) -> list[TaskDetail]:
        return [each for each in self.tasks() if task_id in (None, each.task.task_id)]

    def logs(self, task_id: str) -> Sequence[LogRow]:
        return self._ask(lambda reader: reader.get_logs(task_id, limit=1_000_000))

    def messages(self, task_id: str) -> list[str]:
        return [line.message for line in self.logs(task_id)]

    def rollups(self) -> Sequence[RollupDelta]:
        return self._ask(lambda reader: reader.rollups(0))

    def _ask(self, question: Callable[[StoreReader], Awaitable[T]]) -> T:
        async def run() -> T:
            reader = open_store(None, self._folder).reader()
            try:
                return await question(reader)
            finally:
                await reader.aclose()

        return asyncio.run(run())

    def until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait until it holds."""
        deadline = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < deadline, f"not within {PATIENCE} s: {what}; {self.tasks()}"
            time.sleep(0.02)

    def settled(self, task_id: str | None = None) -> TaskDetail:
        """The task (this one, or the only one) once it is final."""

        def is_settled() -> bool:
            found = self._chosen(task_id)
            return bool(found) and all(is_final(each.task.status) for each in found)

        self.until(is_settled, f"task {task_id} is final")
        return self.task(task_id)


@contextmanager
def survivor(folder: Path, *tasks: Callable[..., Any], **settings: Any) -> Iterator[TaskManager]:
    """A manager of this process on the same folder, started; ``tasks`` are run again if their process died."""
    manager = TaskManager(dir=str(folder), **settings)
    for function in tasks:
        manager.task(requeue_on_interrupt=True)(function)
    manager.start()
    try:
        yield manager
    finally:
        manager.stop(grace=0.0)
