"""What the store holds, counted: the truth that the backends are compared with."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

LEVELS = {10: "DEBUG", 20: "INFO", 30: "WARN", 40: "ERROR"}


@dataclass(frozen=True)
class Attempt:
    """An attempt as the store keeps it; ``ended_at`` is Unix nanoseconds."""

    task_id: str
    task: str
    attempt: int
    outcome: str
    trace_id: str
    span_id: str
    worker: str
    ended_at: int
    error_type: str | None


@dataclass(frozen=True)
class Kept:
    """All tasks and attempts, and how many lines there are at each level (``INFO``)."""

    tasks: Mapping[str, str]
    """Status of each task, by id."""
    attempts: tuple[Attempt, ...]
    lines: Mapping[str, int] = field(default_factory=dict)
    uids: frozenset[str] = frozenset()
    """``log.record.uid`` of each line."""

    @property
    def outcomes(self) -> Counter[tuple[str, str]]:
        """How many attempts of each task's name ended how."""
        return Counter((attempt.task, attempt.outcome) for attempt in self.attempts)

    @property
    def failures(self) -> int:
        """Attempts that raised."""
        return sum(attempt.error_type is not None for attempt in self.attempts)


def read_kept(folder: Path) -> Kept:
    """What the store in an app's folder holds."""
    with closing(sqlite3.connect(f"file:{folder / 'tasks.db'}?mode=ro", uri=True)) as store:
        tasks = dict(store.execute("SELECT task_id, status FROM tasks WHERE status IS NOT NULL").fetchall())
        attempts = store.execute(
            "SELECT task_id, name, attempt, outcome, a.trace_id, a.span_id, worker, a.ended_at, a.error_type"
            " FROM attempts a JOIN tasks USING (task_key)"
        ).fetchall()
        lines = store.execute("SELECT level, count(*) FROM logs GROUP BY level").fetchall()
        uids = store.execute("SELECT task_id, attempt, seq FROM logs JOIN tasks USING (task_key)").fetchall()
    return Kept(
        tasks,
        tuple(Attempt(*row) for row in attempts),
        {LEVELS[level]: count for level, count in lines},
        frozenset("-".join(map(str, row)) for row in uids),
    )
