"""Where consumers ask for what the journal does not say: tasks and attempts that began before they began to listen."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from otel_taskflow.model import AttemptRow, TaskRow

FindTask = Callable[[str], TaskRow | None]
FindAttempt = Callable[[str, int], AttemptRow | None]
"""Finds an attempt of a task by its number, from 0."""


class Lookup(NamedTuple):
    """The store, as far as a consumer asks it."""

    task: FindTask
    """The row of a task that another process enqueued."""
    attempt: FindAttempt
    """The row of an attempt whose start was not seen."""


NOWHERE = Lookup(lambda task_id: None, lambda task_id, attempt: None)
"""Finds nothing."""


__all__ = ["NOWHERE", "FindAttempt", "FindTask", "Lookup"]
