"""Cancel and retry, from whatever process the question comes."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING

from otel_taskflow.engine.asyncio_tasks import on_own_thread
from otel_taskflow.errors import TaskNotFoundError, TaskStateError
from otel_taskflow.events import TaskRetried
from otel_taskflow.journal.codec import encode
from otel_taskflow.lifecycle.decide import RETRYABLE, is_final
from otel_taskflow.model import TaskRow

if TYPE_CHECKING:
    from otel_taskflow.manager.task_manager import TaskManager

ANSWER_TIMEOUT = 2.0
"""Seconds to wait for the process that owns a task to obey."""


async def cancel(manager: TaskManager, task_id: str, actor: str) -> TaskRow:
    """Cancel here, or leave a command for the owner and wait a little for its effect."""
    engine = manager.runtime.engine
    task = await _load(manager, task_id)
    if is_final(task.status):
        raise TaskStateError(f"task {task_id} is {task.status.value}; only pending and running tasks can be cancelled")
    if not engine.cancel(task_id):
        store = manager.runtime.store.writer
        await on_own_thread(partial(store.add_command, task_id, "cancel", actor, time.time_ns()))
    return await _after_cancel(manager, task_id)


async def _after_cancel(manager: TaskManager, task_id: str) -> TaskRow:
    deadline = time.monotonic() + ANSWER_TIMEOUT
    while True:
        task = await _load(manager, task_id)
        if is_final(task.status) or time.monotonic() > deadline:
            return task
        await asyncio.sleep(0.02)


async def retry(manager: TaskManager, task_id: str, actor: str) -> TaskRow:
    """Add the same call as a new task; the original stays and points to it."""
    task = await _load(manager, task_id)
    if task.status not in RETRYABLE:
        allowed = ", ".join(sorted(status.value for status in RETRYABLE))
        raise TaskStateError(f"task {task_id} is {task.status.value}; only {allowed} tasks can be retried")
    new_id = manager.submit_again(task)
    event = TaskRetried(task_id, time.time_ns(), new_id)
    manager.runtime.writer.append(encode(event))
    return await _load(manager, new_id)


async def _load(manager: TaskManager, task_id: str) -> TaskRow:
    await manager.level()
    detail = await manager.reader().get_task(task_id)
    if detail is None:
        raise TaskNotFoundError(f"no task has the id {task_id!r}")
    return detail.task
