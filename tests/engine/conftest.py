"""A manager in memory, stopped after the test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from otel_taskflow.manager import TaskManager
from otel_taskflow.model import AttemptRow, LogRow, TaskRow


class Seen:
    """A manager and what its store holds."""

    def __init__(self, manager: TaskManager) -> None:
        self.manager = manager

    def task(self, task_id: str) -> TaskRow:
        self.manager.runtime.tailer.flush()
        return self.manager.runtime.store.writer.load_tasks([task_id])[task_id]

    def attempt(self, task_id: str, number: int) -> AttemptRow:
        self.manager.runtime.tailer.flush()
        attempt = self.manager.runtime.store.writer.load_attempt(task_id, number)
        assert attempt is not None
        return attempt

    async def logs(self, task_id: str, **options: Any) -> list[LogRow]:
        await self.manager.level(5.0)
        return list(await self.manager.reader().get_logs(task_id, **options))


@pytest.fixture
def manager() -> Iterator[TaskManager]:
    manager = TaskManager(store="memory", shutdown_grace=0.2)
    yield manager
    manager.stop()


@pytest.fixture
def seen(manager: TaskManager) -> Seen:
    return Seen(manager)
