"""Idempotency keys of this process, newer than what the store has seen."""

from __future__ import annotations

import threading
from collections import OrderedDict

from otel_taskflow.engine.live import LiveTask, Phase
from otel_taskflow.model import TaskStatus


class RecentKeys:
    """The last keys and their tasks, bounded; a key is free again when its task did not succeed.

    ``lock`` makes looking up and adding one step.
    """

    def __init__(self, limit: int = 10_000) -> None:
        self.lock = threading.RLock()
        self._limit = limit
        self._tasks: OrderedDict[tuple[str, str], LiveTask] = OrderedDict()

    def remember(self, name: str, key: str, task: LiveTask) -> None:
        """This task has the key now."""
        self._tasks[name, key] = task
        if len(self._tasks) > self._limit:
            self._tasks.popitem(last=False)

    def clear(self) -> None:
        """Forget all: the store of a start knows what was finished before it, or nobody is to know it."""
        with self.lock:
            self._tasks.clear()

    def find(self, name: str, key: str) -> str | None:
        """Id of the task that has the key: unfinished, or succeeded."""
        task = self._tasks.get((name, key))
        if task is None or (task.phase is Phase.DONE and task.final_status is not TaskStatus.SUCCESS):
            return None
        return task.row.task_id
