"""A manager with a task that counts, and what its store must hold of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from otel_taskflow import TaskManager, task_log
from otel_taskflow.consumers.store_process.host import StoreProcess
from otel_taskflow.model import TaskStatus
from tests.crash.rows import Rows
from tests.processes.waiting import PATIENCE, until

PASSWORD = "hunter2-is-no-good"


class Counting:
    """Each task logs the numbers up to the one that it is given."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.rows = Rows(folder)
        self.manager = TaskManager(dir=str(folder), shutdown_grace=0.2, **settings)
        self._count = self.manager.task(name="count")(count)
        self._lines: dict[str, int] = {}

    @property
    def process(self) -> StoreProcess:
        found = self.manager.runtime.store_process
        assert found is not None
        return found

    def add(self, lines: int = 20) -> str:
        task_id = self.manager.add_task(self._count, lines)
        self._lines[task_id] = lines
        return task_id

    def hand_over(self) -> int:
        """Add tasks until the process has the store; returns its pid."""

        def is_lent() -> bool:
            self.add()
            assert self.manager.drain(PATIENCE)
            return self.process.is_lent

        until(is_lent)
        self.add()
        assert self.manager.drain(PATIENCE)  # written there
        pid = self.process.pid
        assert pid is not None
        return pid

    def check(self) -> None:
        """All that was counted is in the store, once and in order."""
        assert self.manager.drain(PATIENCE)
        self.check_rows()

    def check_rows(self) -> None:
        found = {each.task.task_id: each for each in self.rows.tasks()}
        assert set(found) == set(self._lines)
        for task_id, lines in self._lines.items():
            task, attempts = found[task_id]
            assert (task.status, task.log_count) == (TaskStatus.SUCCESS, lines)
            assert [attempt.log_count for attempt in attempts] == [lines]
            assert self.rows.messages(task_id) == [f"line {number}" for number in range(lines)]
        rollups = self.rows.rollups()
        assert sum(each.enqueued for each in rollups) == sum(each.succeeded for each in rollups) == len(found)


def count(lines: int) -> None:
    for number in range(lines):
        task_log(f"line {number}", password=PASSWORD)
