"""One slice of a journal becomes rows. Everything here runs inside the caller's transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest

from otel_taskflow.errors import StoreReplacedError
from otel_taskflow.ports import RollupDelta, StoreWrite
from otel_taskflow.sqlite.inserting import FEW, MANY, Insert
from otel_taskflow.stores.sqlite.rows import attempt_to_tuple, log_to_tuple, rollup_to_tuple, task_to_tuple
from otel_taskflow.stores.sqlite.statements import SQL

Inserts = Mapping[str, Insert]
"""By the name of the statement."""


def _inserts_of(sizes: Sequence[int]) -> Inserts:
    names = ("put_task", "put_attempt", "add_log", "add_change", "announce_task")
    return {name: Insert(SQL[name], sizes) for name in names}


BESIDE_AN_APP: Inserts = _inserts_of(FEW)
ALONE: Inserts = _inserts_of(MANY)


def apply(
    connection: sqlite3.Connection, write: StoreWrite, expected: int = 0, inserts: Inserts = BESIDE_AN_APP
) -> int:
    """Write the slice and its offset; return the last change number. Nothing changes if it was written before.

    Raises StoreReplacedError if the offset is below the one that is ``expected``.
    """
    last_change, offset = counter(connection, "last_change"), stored_offset(connection, write.journal_id)
    if offset < expected:
        raise StoreReplacedError(
            f"the store has lost what journal {write.journal_id} wrote behind {offset}: write again what it still has"
        )
    if write.offset <= offset:
        return last_change
    inserts["put_task"](connection, map(task_to_tuple, write.tasks))
    keys = _keys(connection, write, inserts["announce_task"])
    changes = announce(connection, keys.values(), last_change, inserts)
    attempts = ((keys[row.task_id], *attempt_to_tuple(row)) for row in write.attempts)
    inserts["put_attempt"](connection, attempts)
    _add_logs(connection, write, keys, changes, inserts["add_log"])
    for delta in write.rollups:
        _add_rollup(connection, delta)
    connection.execute(SQL["put_offset"], (write.journal_id, write.offset))
    return last_change + len(changes)


def counter(connection: sqlite3.Connection, name: str) -> int:
    """The value of a counter."""
    (value,) = connection.execute(SQL["counter"], (name,)).fetchone()
    return int(value)


def stored_offset(connection: sqlite3.Connection, journal_id: str) -> int:
    """The offset of a journal, 0 if unknown."""
    found = connection.execute(SQL["get_offset"], (journal_id,)).fetchone()
    return found[0] if found else 0


def announce(
    connection: sqlite3.Connection, task_keys: Iterable[int], last_change: int, inserts: Inserts = BESIDE_AN_APP
) -> Mapping[int, int]:
    """Enter tasks into the change feed, each under a number of its own; return the numbers by task key."""
    changes = {key: number for number, key in enumerate(task_keys, last_change + 1)}
    inserts["add_change"](connection, ((number, key) for key, number in changes.items()))
    connection.execute(SQL["set_counter"], (last_change + len(changes), "last_change"))
    return changes


def _keys(connection: sqlite3.Connection, write: StoreWrite, announce_tasks: Insert) -> Mapping[str, int]:
    """The internal keys of all tasks of a slice, of unknown ones too: a line may come before its task's row."""
    times = {row.task_id: row.time for row in write.logs}
    times.update((row.task_id, row.started_at) for row in write.attempts)
    times.update((row.task_id, row.created_at) for row in write.tasks)
    keys = _known_keys(connection, list(times))
    missing = [(task_id, time) for task_id, time in times.items() if task_id not in keys]
    if missing:
        announce_tasks(connection, missing)
        keys.update(_known_keys(connection, [task_id for task_id, _ in missing]))
    return keys


def _known_keys(connection: sqlite3.Connection, task_ids: Sequence[str]) -> dict[str, int]:
    return dict(connection.execute(SQL["keys_of_tasks"], (json.dumps(task_ids),)))


def _add_logs(
    connection: sqlite3.Connection,
    write: StoreWrite,
    keys: Mapping[str, int],
    changes: Mapping[int, int],
    add_lines: Insert,
) -> None:
    if not write.logs:
        return
    (newest,) = connection.execute(SQL["newest_log"]).fetchone()
    numbers = {task_id: (key, changes[key]) for task_id, key in keys.items()}
    rows = ((*numbers[row.task_id], *log_to_tuple(row)) for row in write.logs)
    added = add_lines(connection, rows)
    connection.execute(SQL["index_log_words"], (newest,))
    connection.execute(SQL["add_to_counter"], (added, "logs"))


def _add_rollup(connection: sqlite3.Connection, delta: RollupDelta) -> None:
    found = connection.execute(SQL["get_rollup"], (delta.minute, delta.name)).fetchone()
    stored = json.loads(found[0]) if found else ()
    buckets = [first + second for first, second in zip_longest(stored, delta.duration_buckets, fillvalue=0)]
    connection.execute(SQL["put_rollup"], rollup_to_tuple(delta, buckets))
