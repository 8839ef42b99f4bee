"""What a manager hands to the engine, and what the journal is told of it."""

from __future__ import annotations

from typing import Any, NamedTuple

from otel_taskflow.events import TaskEnqueued
from otel_taskflow.model import TaskDefinition, TaskRow


class NewTask(NamedTuple):
    """What add_task knows."""

    task_id: str
    definition: TaskDefinition
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    kept_args: str | None
    tags: dict[str, str]
    idempotency_key: str | None
    held: bool
    retry_of: str | None = None
    expires: float | None = None
    """Seconds from now in which the first attempt must start."""


def enqueued(row: TaskRow, code_name: str) -> TaskEnqueued:
    """The first event of a task: its row as it begins, and ``module.qualname`` of its function."""
    return TaskEnqueued(
        row.task_id,
        row.created_at,
        row.name,
        row.args,
        row.tags,
        row.idempotency_key,
        row.source,
        row.held,
        row.span,
        row.carrier,
        row.max_attempts,
        row.executor,
        row.retry_of,
        row.requeue_on_interrupt,
        row.expires_at,
        code_name,
    )
