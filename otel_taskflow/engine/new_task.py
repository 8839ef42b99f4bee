"""What a manager hands to the engine."""

from __future__ import annotations

from typing import Any, NamedTuple

from otel_taskflow.model import TaskDefinition


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
