"""Which function a kept call is of. Undecorated ones stand beside their arguments; registered ones have their name in the row."""

from __future__ import annotations

from pydantic_core import from_json, to_json

from otel_taskflow.model import TaskRow
from otel_taskflow.registry import Identity

_KEY = '"function":'


def with_function(call: str, function: str) -> str:
    """The JSON of a call, with the place of its function; an empty one is left out."""
    return f"{call[:-1]},{_KEY}{to_json(function).decode()}}}" if function else call


def identity_of(task: TaskRow) -> Identity:
    """What to look for in the registry, to make the task's call again."""
    if task.args is None or _KEY not in task.args:
        return Identity(task.name)
    try:
        return Identity(task.name, str(from_json(task.args).get("function", "")))
    except (ValueError, AttributeError):
        return Identity(task.name)
