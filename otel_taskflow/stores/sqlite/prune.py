"""Finished tasks go in small transactions, so that no writer waits long for one."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter
from typing import TypeVar

from otel_taskflow.sqlite.database import Database
from otel_taskflow.stores.sqlite.apply import counter
from otel_taskflow.stores.sqlite.statements import SQL

LOCKED_FOR = 0.02
"""Seconds that one transaction is to take. How much it does follows from what the one before took, on this disk and machine."""
Result = TypeVar("Result")
_NEVER = 2**63 - 1
_MINUTE = 60_000_000_000


class Stride:
    """How much one transaction does. Begins small, for the first one is a guess."""

    def __init__(self, size: int, most: int) -> None:
        self.size = size
        self._most = most

    def follow(self, seconds: float) -> None:
        """The last one took this long."""
        self.size = int(min(self._most, max(8, self.size * min(2.0, max(0.25, LOCKED_FOR / max(seconds, 1e-6))))))

    def write(self, database: Database, work: Callable[[sqlite3.Connection, int], Result]) -> Result:
        """Do that much. The wait for the right to write does not count."""
        began = 0.0

        def timed(connection: sqlite3.Connection) -> Result:
            nonlocal began
            began = perf_counter()
            return work(connection, self.size)

        done = database.write(timed)
        self.follow(perf_counter() - began)
        return done


class Strides:
    """Those of one store."""

    def __init__(self) -> None:
        self.lines = Stride(100, 2000)
        self.tasks = Stride(50, 500)
        self.pages = Stride(50, 1000)


def prune(database: Database, strides: Strides, before: int, max_bytes: int, limit: int) -> int:
    """Delete a bounded number of finished tasks; return how many."""
    doomed, announced = database.read(
        lambda connection: (
            _ended(connection, before, limit) or _beyond(connection, max_bytes, limit),
            _announced(connection, before, limit),
        )
    )
    for keys in filter(None, (doomed, announced)):
        _delete(database, strides, keys)
    database.write(lambda connection: connection.execute(SQL["delete_rollups"], (before // _MINUTE,)))
    if doomed:
        _merge_words_if_due(database, strides.pages)
        _give_back_pages(database, strides.pages)
    return len(doomed)


def used_bytes(connection: sqlite3.Connection) -> int:
    """Bytes of the pages in use."""
    pages = _pragma(connection, "page_count") - _pragma(connection, "freelist_count")
    return pages * _pragma(connection, "page_size")


def count_tasks(connection: sqlite3.Connection) -> int:
    """Tasks in the store."""
    (count,) = connection.execute(SQL["count_tasks"]).fetchone()
    return int(count)


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


# Which


def _ended(connection: sqlite3.Connection, before: int, limit: int) -> Sequence[int]:
    return [key for key, _ in connection.execute(SQL["ended_before"], {"before": before, "limit": limit})]


def _announced(connection: sqlite3.Connection, before: int, limit: int) -> Sequence[int]:
    return [key for (key,) in connection.execute(SQL["announced_before"], {"before": before, "limit": limit})]


def _beyond(connection: sqlite3.Connection, max_bytes: int, limit: int) -> Sequence[int]:
    """The oldest, about as many as fill what is beyond ``max_bytes``; the next call sees what that gave."""
    used = used_bytes(connection)
    per_row = used / max(1, counter(connection, "logs") + count_tasks(connection))
    chosen: list[int] = []
    for key, lines in connection.execute(SQL["ended_before"], {"before": _NEVER, "limit": limit}):
        if used <= max_bytes:
            break
        used -= int(per_row * (lines + 1))
        chosen.append(key)
    return chosen


# Deleting


def _delete(database: Database, strides: Strides, keys: Sequence[int]) -> None:
    """Their lines first; then each goes with its attempts at once."""
    doomed = json.dumps(keys)
    while strides.lines.write(database, lambda connection, most: _delete_lines(connection, doomed, most)):
        pass
    left = list(keys)
    while left:
        left = strides.tasks.write(database, partial(_delete_tasks, left))


def _delete_lines(connection: sqlite3.Connection, keys: str, most: int) -> bool:
    """False if none are left."""
    found = connection.execute(SQL["log_keys_of_tasks"], {"tasks": keys, "limit": most}).fetchall()
    lines = json.dumps([key for (key,) in found])
    for name in ("delete_log_words", "delete_logs"):
        connection.execute(SQL[name], (lines,))
    connection.execute(SQL["add_to_counter"], (-len(found), "logs"))
    connection.execute(SQL["add_to_counter"], (len(found), "dead_logs"))
    return len(found) == most


def _delete_tasks(keys: list[int], connection: sqlite3.Connection, most: int) -> list[int]:
    """Delete the first, and what lines have come since theirs were deleted; return the rest."""
    doomed = json.dumps(keys[:most])
    _delete_lines(connection, doomed, _NEVER)
    for name in ("delete_attempts", "delete_changes", "delete_commands", "delete_tasks"):
        connection.execute(SQL[name], (doomed,))
    return keys[most:]


# Tidying up


def _merge_words_if_due(database: Database, pages: Stride) -> None:
    """The text index keeps deleted words until it is merged. That rewrites it, so wait until a quarter is dead."""
    dead, alive = database.read(lambda connection: (counter(connection, "dead_logs"), counter(connection, "logs")))
    if dead <= alive / 4:
        return
    sign = -1  # negative: begin to merge all into one
    while pages.write(database, partial(_merge_words, sign)):
        sign = 1
    database.write(lambda connection: connection.execute(SQL["add_to_counter"], (-dead, "dead_logs")))


def _merge_words(sign: int, connection: sqlite3.Connection, pages: int) -> bool:
    """One step; False if there was nothing to merge, which still counts as one change."""
    before = connection.total_changes
    connection.execute(SQL["merge_log_words"], (sign * pages,))
    return connection.total_changes - before >= 2


def _give_back_pages(database: Database, pages: Stride) -> None:
    free = database.read(lambda connection: _pragma(connection, "freelist_count"))
    while free > 0:
        free -= pages.size
        pages.write(
            database, lambda connection, most: connection.execute(f"PRAGMA incremental_vacuum({most})").fetchall()
        )
