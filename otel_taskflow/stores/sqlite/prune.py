"""Finished tasks go in small transactions, so that no writer waits long for one."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from otel_taskflow.sqlite.database import Database
from otel_taskflow.stores.sqlite.apply import counter
from otel_taskflow.stores.sqlite.statements import SQL

LINES_AT_ONCE = 500
"""Lines that one transaction deletes; some 20 ms."""
PAGES_AT_ONCE = 250
"""Pages, 1 MB, that one transaction merges or gives back to the disk; some 20 ms."""
_NEVER = 2**63 - 1
_MINUTE = 60_000_000_000


def prune(database: Database, before: int, max_bytes: int, limit: int) -> int:
    """Delete a bounded number of finished tasks; return how many."""
    doomed, announced = database.read(
        lambda connection: (
            _ended(connection, before, limit) or _beyond(connection, max_bytes, limit),
            _announced(connection, before, limit),
        )
    )
    for keys in filter(None, (doomed, announced)):
        _delete(database, json.dumps(keys))
    database.write(lambda connection: connection.execute(SQL["delete_rollups"], (before // _MINUTE,)))
    if doomed:
        _merge_words_if_due(database)
        _give_back_pages(database)
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


def _delete(database: Database, keys: str) -> None:
    while database.write(lambda connection: _delete_some(connection, keys)):
        pass


def _delete_some(connection: sqlite3.Connection, keys: str) -> bool:
    """True if there are lines left."""
    is_left = _delete_lines(connection, keys) == LINES_AT_ONCE
    if not is_left:
        _delete_tasks(connection, keys)
    return is_left


def _delete_lines(connection: sqlite3.Connection, keys: str) -> int:
    found = connection.execute(SQL["log_keys_of_tasks"], {"tasks": keys, "limit": LINES_AT_ONCE}).fetchall()
    lines = json.dumps([key for (key,) in found])
    for name in ("delete_log_words", "delete_logs"):
        connection.execute(SQL[name], (lines,))
    connection.execute(SQL["add_to_counter"], (-len(found), "logs"))
    connection.execute(SQL["add_to_counter"], (len(found), "dead_logs"))
    return len(found)


def _delete_tasks(connection: sqlite3.Connection, keys: str) -> None:
    for name in ("delete_attempts", "delete_changes", "delete_commands", "delete_tasks"):
        connection.execute(SQL[name], (keys,))


# Tidying up


def _merge_words_if_due(database: Database) -> None:
    """The text index keeps deleted words until it is merged. That rewrites it, so wait until a quarter is dead."""
    dead, alive = database.read(lambda connection: (counter(connection, "dead_logs"), counter(connection, "logs")))
    if dead <= alive / 4:
        return
    pages = -PAGES_AT_ONCE  # negative: begin to merge all into one
    while _merge_words(database, pages):
        pages = PAGES_AT_ONCE
    database.write(lambda connection: connection.execute(SQL["add_to_counter"], (-dead, "dead_logs")))


def _merge_words(database: Database, pages: int) -> bool:
    """One step; False if there was nothing to merge, which still counts as one change."""

    def merge(connection: sqlite3.Connection) -> bool:
        before = connection.total_changes
        connection.execute(SQL["merge_log_words"], (pages,))
        return connection.total_changes - before >= 2

    return database.write(merge)


def _give_back_pages(database: Database) -> None:
    free = database.read(lambda connection: _pragma(connection, "freelist_count"))
    for _ in range(-(-free // PAGES_AT_ONCE)):
        database.write(lambda connection: connection.execute(f"PRAGMA incremental_vacuum({PAGES_AT_ONCE})").fetchall())
