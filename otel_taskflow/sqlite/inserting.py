"""Many rows in few calls."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import chain, islice
from typing import Any

from otel_taskflow.sqlite.statements import repeated

FEW = (25, 5)
"""Rows that one statement inserts where others want the interpreter lock: it is kept while their values are bound. SQLite
before 3.32 takes 999 values."""
MANY = (250, *FEW) if sqlite3.sqlite_version_info >= (3, 32) else FEW
"""Where nobody else wants it; a statement costs as much as some rows."""


class Insert:
    """An INSERT of one row, run for many.

    Several with one statement: each execution gives the interpreter lock away and then has to win it back. Not all rows are
    made at once: that would keep it from others for too long.

    Args:
        statement: Of one row.
        sizes: How many rows to insert at once, largest first.
    """

    def __init__(self, statement: str, sizes: Sequence[int] = FEW) -> None:
        self._sizes = [(size, repeated(statement, size)) for size in (*sizes, 1)]

    def __call__(self, connection: sqlite3.Connection, rows: Iterable[Sequence[Any]]) -> int:
        """Insert rows; return how many were new or changed."""
        waiting, changed = iter(rows), 0
        (largest, _), *_ = self._sizes
        while batch := list(islice(waiting, largest)):
            for size, statement in self._sizes:
                while len(batch) >= size:
                    changed += connection.execute(statement, list(chain.from_iterable(batch[:size]))).rowcount
                    del batch[:size]
        return changed
