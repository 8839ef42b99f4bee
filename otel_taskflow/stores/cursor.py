"""Opaque cursors of a list, newest first: where a page ended, whatever is added meanwhile."""

from __future__ import annotations

import base64
import json

from otel_taskflow.errors import ConfigurationError
from otel_taskflow.model import TaskRow


def encode_cursor(last: TaskRow) -> str:
    """The cursor behind this task."""
    return base64.urlsafe_b64encode(json.dumps([last.created_at, last.task_id]).encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> tuple[int, str]:
    """``created_at`` and ``task_id`` of the last task of the page before. Raises ConfigurationError for anything else."""
    try:
        created_at, task_id = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        str(task_id).encode()  # half of a surrogate pair is in no id, and no database takes it
    except (ValueError, TypeError):
        created_at = task_id = None
    if not (isinstance(created_at, int) and isinstance(task_id, str) and 0 <= created_at < 2**63):
        raise ConfigurationError(
            f"cursor {cursor[:100]!r} is not one that list_tasks() returned; start without a cursor"
        )
    return created_at, task_id
