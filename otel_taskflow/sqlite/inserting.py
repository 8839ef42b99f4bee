"""Many rows in few calls."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import chain, islice
from typing import Any

from otel_taskflow.sqlite.statements import repeated

BATCHES = (25, 5)
"""Rows that one statement inserts; more at once is hardly faster, and SQLite before 3.32 takes 999 values."""


class Insert:
    """An INSERT of one row, run for many.

    Several with one statement: each execution gives the interpreter lock away and then has to win it back. Not all rows are
    made at once: that would keep it from others for too long.
    """

    def __init__(self, statement: str) -> None:
        self._sizes = [(size, repeated(statement, size)) for size in (*BATCHES, 1)]

    def __call__(self, connection: sqlite3.Connection, rows: Iterable[Sequence[Any]]) -> int:
        """Insert rows; return how many were new or changed."""
        waiting, changed = iter(rows), 0
        while batch := list(islice(waiting, BATCHES[0])):
            for size, statement in self._sizes:
                while len(batch) >= size:
                    changed += connection.execute(statement, list(chain.from_iterable(batch[:size]))).rowcount
                    del batch[:size]
        return changed
