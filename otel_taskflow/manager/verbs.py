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
from otel_taskflow.lifecycle.decide import CANCEL_REQUESTED, RETRYABLE, is_final
from otel_taskflow.model import TaskRow, TaskStatus

if TYPE_CHECKING:
    from otel_taskflow.engine.live import LiveTask
    from otel_taskflow.manager.task_manager import TaskManager

ANSWER_TIMEOUT = 2.0
"""Seconds to wait for the process that owns a task to obey."""


async def cancel(manager: TaskManager, task_id: str, actor: str) -> TaskRow:
    """Cancel here, or leave a command for the owner and wait a little for its effect."""
    engine = manager.runtime.engine
    live = engine.get(task_id)  # Asked first: the store may be behind, and know nothing of a task yet.
    if live is not None and engine.cancel(task_id):
        return await _after_cancel(manager, task_id, live)
    task = await _load(manager, task_id)
    if is_final(task.status):
        raise TaskStateError(f"task {task_id} is {task.status.value}; only pending and running tasks can be cancelled")
    if not engine.cancel(task_id):
        store = manager.runtime.store.writer
        await on_own_thread(partial(store.add_command, task_id, "cancel", actor, time.time_ns()))
    return await _after_cancel(manager, task_id)


async def _after_cancel(manager: TaskManager, task_id: str, live: LiveTask | None = None) -> TaskRow:
    deadline = time.monotonic() + ANSWER_TIMEOUT
    while True:
        has_ended = live is not None and live.final_status is not None
        stored = await _find(manager, task_id)
        if stored is not None and is_final(stored.status):
            return stored
        is_late = time.monotonic() > deadline
        if live is not None and (has_ended or is_late):
            return _ahead_of_store(manager, stored or live.row, live)
        if live is None and stored is None:
            raise _not_found(task_id)
        if stored is not None and is_late:
            return stored
        await asyncio.sleep(0.02)


def _ahead_of_store(manager: TaskManager, known: TaskRow, live: LiveTask) -> TaskRow:
    """What the store will say of a task that this process has in hand."""
    status = live.final_status or (TaskStatus.RUNNING if live.attempts else TaskStatus.PENDING)
    return known._replace(
        status=status,
        held=False,
        ended_at=time.time_ns() if is_final(status) else None,
        waiting_until=live.waiting_until,
        attempts=live.attempts,
        reason="user" if status is TaskStatus.CANCELLED else None if is_final(status) else CANCEL_REQUESTED,
        owner=manager.runtime.writer.id,
    )


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
    task = await _find(manager, task_id)
    if task is None:
        raise _not_found(task_id)
    return task


async def _find(manager: TaskManager, task_id: str) -> TaskRow | None:
    await manager.level()
    detail = await manager.reader().get_task(task_id)
    return None if detail is None else detail.task


def _not_found(task_id: str) -> TaskNotFoundError:
    return TaskNotFoundError(f"no task has the id {task_id!r}")
