"""Expand and contract: a file of the release before is brought up to date, and that release goes on with it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from otel_taskflow.model import AttemptOutcome
from otel_taskflow.ports import RollupDelta, StoreWrite
from otel_taskflow.sqlite.migrate import check, migrate
from otel_taskflow.stores.sqlite.schema import MIGRATIONS, label
from otel_taskflow.stores.sqlite.store import SqliteStore
from otel_taskflow.testing.store_rows import START, make_attempt, make_full_task, make_line, make_task
from tests.stores.conftest import sql
from tests.stores.next_release import TABLES, made_by_the_next_release

ADDED = "expires_at"
"""The column that schema 2 has and schema 1 has not."""


def put_as_0_1(path: Path, task_id: str, status: str) -> None:
    """What 0.1 does, which names the columns that it knows."""
    columns = [name for _, name, *_ in sql(path, "PRAGMA table_info(tasks)") if name not in ("task_key", ADDED)]
    updates = ", ".join(f"{name} = excluded.{name}" for name in columns if name != "task_id")
    values = {"task_id": task_id, "name": "send_email", "status": status, "created_at": START, "owner": "journal-a"}
    row = [values.get(name, 0 if name in NOT_NULL else None) for name in columns]
    statement = f"INSERT INTO tasks ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
    with sqlite3.connect(path) as connection:
        connection.execute(f"{statement} ON CONFLICT (task_id) DO UPDATE SET {updates}", row)
    connection.close()


NOT_NULL = {"source", "held", "attempts", "max_attempts", "executor", "log_count", "requeue_on_interrupt"}


def test_a_file_of_the_release_before_is_brought_up_to_date(path: Path) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    migrate(connection, label(str(path)), MIGRATIONS[:1])
    connection.close()
    put_as_0_1(path, "task-1", "pending")
    store = SqliteStore(path)
    store.writer.open()
    [task] = store.writer.load_tasks(["task-1"]).values()
    assert task.expires_at is None
    store.writer.write(StoreWrite("journal-a", 1, [task._replace(expires_at=START + 1)]))
    assert store.writer.load_tasks(["task-1"])["task-1"].expires_at == START + 1
    store.writer.close()


@pytest.mark.failure("S12")
def test_the_release_before_writes_on_and_leaves_what_it_does_not_know(path: Path) -> None:
    store = SqliteStore(path)
    store.writer.open()
    store.writer.write(StoreWrite("journal-a", 1, [make_task("task-1", expires_at=START + 1), make_full_task()]))
    put_as_0_1(path, "task-1", "running")
    put_as_0_1(path, "task-2", "pending")
    found = store.writer.load_tasks(["task-1", "task-2"])
    assert {task_id: (row.status.value, row.expires_at) for task_id, row in found.items()} == {
        "task-1": ("running", START + 1),
        "task-2": ("pending", None),
    }
    store.writer.close()


def test_the_release_before_may_open_what_this_one_has_made(path: Path) -> None:
    store = SqliteStore(path)
    store.writer.open()
    store.writer.close()
    connection = sqlite3.connect(path, isolation_level=None)
    migrate(connection, label(str(path)), MIGRATIONS[:1])
    assert check(connection, label(str(path)), MIGRATIONS[:1]) == (2, 1)
    connection.close()


@pytest.mark.failure("S12")
def test_this_release_wipes_nothing_that_the_next_one_keeps_in_the_rows(path: Path) -> None:
    store = made_by_the_next_release(path)
    store.writer.open()
    task, attempt, figures = make_full_task("task-1"), make_attempt(), RollupDelta("send_email", 1, enqueued=1)
    rows = {"tasks": [task], "attempts": [attempt], "logs": [make_line()], "rollups": [figures]}
    store.writer.write(StoreWrite("journal-a", 1, **rows))
    for table in TABLES:
        sql(path, f"UPDATE {table} SET of_the_future = 'kept'")
    ended = attempt._replace(ended_at=START + 5, outcome=AttemptOutcome.SUCCEEDED)
    store.writer.write(StoreWrite("journal-a", 2, **{**rows, "attempts": [ended]}))
    assert store.writer.load_attempt(task.task_id, 0) == ended
    for table in ("tasks", "attempts", "logs", "rollups", "offsets", "counters"):
        assert set(sql(path, f"SELECT of_the_future FROM {table}")) == {("kept",)}, table
    store.writer.close()
