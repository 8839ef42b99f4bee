"""Calls that meet a file which is replaced under them: done again in the file that has the name, and only that counts."""

from __future__ import annotations

import sqlite3
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_taskflow.errors import StoreError
from otel_taskflow.sqlite.aside import move_aside
from otel_taskflow.sqlite.database import FileDatabase
from tests.sqlite.words import add, make


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "words.db"


@pytest.fixture
def database(path: Path) -> Iterator[FileDatabase]:
    database = make(path)
    yield database
    database.close()


def words(database: FileDatabase) -> list[str]:
    return database.read(lambda connection: [word for (word,) in connection.execute("SELECT word FROM words")])


def test_what_is_committed_to_a_file_that_is_moved_away_meanwhile_is_done_again(
    path: Path, database: FileDatabase
) -> None:
    runs: list[str] = []

    def work(connection: sqlite3.Connection) -> None:
        add(connection, "a")
        runs.append("run")
        if len(runs) == 1:
            move_aside(path)

    database.write(work)
    assert len(runs) == 2
    assert words(database) == ["a"]


def test_what_is_read_of_a_file_that_is_moved_away_meanwhile_is_read_again(path: Path, database: FileDatabase) -> None:
    database.write(lambda connection: add(connection, "a"))
    answers: list[int] = []

    def question(connection: sqlite3.Connection) -> int:
        answers.append(connection.execute("SELECT count(*) FROM words").fetchone()[0])
        if len(answers) == 1:
            move_aside(path)
        return answers[-1]

    assert database.read(question) == 0
    assert answers == [1, 0]


def test_a_file_that_is_moved_away_again_and_again_is_an_error(path: Path, database: FileDatabase) -> None:
    with pytest.raises(StoreError, match="again and again"):
        database.write(lambda _: move_aside(path))


def test_many_threads_that_meet_the_same_damage_replace_the_file_once(path: Path) -> None:
    databases = [make(path) for _ in range(4)]
    for each in databases:
        each.write(lambda connection: add(connection, "before"))
    checkpoint(path)
    path.write_bytes(b"garbage" * 9999)
    threads = [
        threading.Thread(target=each.write, args=(lambda connection, n=n: add(connection, f"{n}"),))
        for n, each in enumerate(databases)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(words(databases[0])) == ["0", "1", "2", "3", "was words.db.corrupt"]
    assert len(list(path.parent.glob("*.corrupt-*Z"))) == 1
    for each in databases:
        each.close()


def checkpoint(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.close()


@pytest.mark.skipif(sys.version_info < (3, 11), reason="sqlite3 does not say which I/O error it was")
def test_a_log_that_is_cut_off_while_it_is_used_is_damage_too(path: Path, database: FileDatabase) -> None:
    database.write(lambda connection: add(connection, "a"))
    path.with_name("words.db-wal").write_bytes(b"")
    other = make(path)
    other.write(lambda connection: add(connection, "b"))
    database.write(lambda connection: add(connection, "c"))
    assert words(database)[-2:] == words(other)[-2:] == ["b", "c"]
    other.close()


def test_the_work_s_own_error_undoes_it_and_leaves_the_file(path: Path, database: FileDatabase) -> None:
    def work(connection: sqlite3.Connection) -> None:
        add(connection, "a")
        raise LookupError

    with pytest.raises(LookupError):
        database.write(work)
    assert words(database) == []
    assert list(path.parent.glob("*.corrupt-*")) == []
