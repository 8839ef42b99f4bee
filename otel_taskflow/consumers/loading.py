"""What a fold asks the store for: tasks that began before the events that it sees."""

from __future__ import annotations

from collections.abc import Sequence

from otel_taskflow.lifecycle.fold import Entry, Load
from otel_taskflow.model import AttemptRow, TaskRow
from otel_taskflow.ports import StoreWriter


def loading(writer: StoreWriter) -> Load:
    """The question to one store."""

    def load(task_ids: Sequence[str]) -> dict[str, Entry]:
        tasks = writer.load_tasks(task_ids)
        return {task_id: Entry(task, newest_attempt(task)) for task_id, task in tasks.items()}

    def newest_attempt(task: TaskRow) -> AttemptRow | None:
        return writer.load_attempt(task.task_id, task.attempts - 1) if task.attempts else None

    return load
