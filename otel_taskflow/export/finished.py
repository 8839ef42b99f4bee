"""What a ``detail=`` function is asked about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class FinishedAttempt:
    """An attempt that has ended.

    Attributes:
        task_id: Id of the task.
        func_name: Registered name of the function.
        attempt: 0 for the first run, 1 for the first retry, ...
        outcome: ``succeeded``, ``failed``, ``retrying``, ``timed_out``, ``cancelled`` or ``interrupted``.
        duration: Seconds that it ran.
        error: Type of the exception, if there was one.
        tags: The tags given to ``add_task``.
        log_count: Lines that it has written.
    """

    task_id: str
    func_name: str
    attempt: int
    outcome: str
    duration: float
    error: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    log_count: int = 0
