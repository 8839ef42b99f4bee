"""Many rows in few statements: all of them, in their order, whatever their number."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from otel_taskflow.sqlite.inserting import FEW, MANY, Insert

STATEMENT = "INSERT INTO numbers (number) VALUES (?) ON CONFLICT (number) DO NOTHING"


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE numbers (number INTEGER UNIQUE)")
        yield connection


@pytest.mark.parametrize("sizes", [FEW, MANY])
@pytest.mark.parametrize("count", [0, 1, 4, 5, 29, 250, 281, 1003])
def test_every_row_is_inserted_once_and_in_order(
    connection: sqlite3.Connection, sizes: tuple[int, ...], count: int
) -> None:
    rows = [(number,) for number in reversed(range(count))]
    assert Insert(STATEMENT, sizes)(connection, iter(rows)) == count
    assert connection.execute("SELECT number FROM numbers ORDER BY rowid").fetchall() == rows


def test_what_was_there_is_not_counted(connection: sqlite3.Connection) -> None:
    insert = Insert(STATEMENT, MANY)
    assert insert(connection, [(number,) for number in range(300)]) == 300
    assert insert(connection, [(number,) for number in range(310)]) == 10


def test_beside_an_app_no_more_rows_are_made_than_one_statement_takes(connection: sqlite3.Connection) -> None:
    made_before = []

    def rows() -> Iterator[tuple[int]]:
        for number in range(60):
            made_before.append(stored(connection))
            yield (number,)

    Insert(STATEMENT, FEW)(connection, rows())
    assert made_before == [0] * FEW[0] + [FEW[0]] * FEW[0] + [2 * FEW[0]] * 10


def stored(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM numbers").fetchone()[0])
