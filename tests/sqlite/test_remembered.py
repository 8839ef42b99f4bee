"""Answers that are given again, exactly as long as nobody has written."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_taskflow.sqlite.aside import move_aside
from otel_taskflow.sqlite.database import Database, MemoryDatabase
from otel_taskflow.sqlite.remembered import Remembered
from tests.sqlite.words import MIGRATIONS, add, label, make


class Asked:
    """A question that counts how often it was really put."""

    def __init__(self, database: Database) -> None:
        self.times = 0
        self._remembered = Remembered(database)

    def __call__(self) -> list[str]:
        return self._remembered.read("words", self._ask)

    def _ask(self, connection: sqlite3.Connection) -> list[str]:
        self.times += 1
        return [word for (word,) in connection.execute("SELECT word FROM words ORDER BY word")]


@pytest.fixture(params=["file", "memory"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    database = make(tmp_path / "words.db") if request.param == "file" else MemoryDatabase(label("memory"), MIGRATIONS)
    database.open()
    yield database
    database.close()


def test_a_question_is_put_once_while_nobody_writes(database: Database) -> None:
    asked = Asked(database)
    assert [asked(), asked(), asked()] == [[], [], []]
    assert asked.times == 1


def test_a_question_is_put_again_after_each_write(database: Database) -> None:
    asked = Asked(database)
    for word in "abc":
        assert word not in asked()
        database.write(lambda connection, word=word: add(connection, word))
        assert word in asked()
        assert word in asked()
    assert asked.times == 4


def test_a_row_that_is_deleted_and_one_that_is_changed_are_seen(database: Database) -> None:
    asked = Asked(database)
    database.write(lambda connection: (add(connection, "a"), add(connection, "b")))
    assert asked() == ["a", "b"]
    database.write(lambda connection: connection.execute("UPDATE words SET word = 'c' WHERE word = 'b'"))
    assert asked() == ["a", "c"]
    database.write(lambda connection: connection.execute("DELETE FROM words"))
    assert asked() == []


def test_two_questions_keep_their_answers_apart(database: Database) -> None:
    remembered = Remembered(database)
    for _ in range(2):
        assert remembered.read("one", lambda _: 1) == 1
        assert remembered.read("two", lambda _: 2) == 2


def test_what_another_writes_is_seen(tmp_path: Path) -> None:
    ours, theirs = make(tmp_path / "words.db"), make(tmp_path / "words.db")
    asked = Asked(ours)
    assert asked() == []
    theirs.write(lambda connection: add(connection, "theirs"))
    assert asked() == ["theirs"]
    ours.close()
    theirs.close()


def test_another_file_under_the_name_is_asked_itself(tmp_path: Path) -> None:
    path = tmp_path / "words.db"
    database = make(path)
    asked = Asked(database)
    database.write(lambda connection: add(connection, "old"))
    assert asked() == ["old"]
    move_aside(path)
    assert asked() == []
    database.close()


def test_a_question_that_fails_has_no_answer_to_remember(database: Database) -> None:
    remembered = Remembered(database)

    def fail(_: sqlite3.Connection) -> None:
        raise KeyError("nothing")

    for _ in range(2):
        with pytest.raises(KeyError):
            remembered.read("words", fail)
