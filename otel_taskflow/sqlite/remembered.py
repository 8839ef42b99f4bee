"""Answers that hold until somebody writes: what is asked again and again costs little while nothing happens."""

from __future__ import annotations

import sqlite3
from collections.abc import Hashable
from typing import Any, TypeVar

from otel_taskflow.sqlite.database import Database, Work

Result = TypeVar("Result")


class Remembered:
    """Questions to one database, from any thread: it runs one work at a time.

    Their answers must follow from what is in it, and nobody may change an answer.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._state: tuple[sqlite3.Connection, int] | None = None
        self._answers: dict[Hashable, Any] = {}

    def read(self, question: Hashable, work: Work[Result]) -> Result:
        """As that of a Database. ``question`` tells the work from others."""

        def answer(connection: sqlite3.Connection) -> Result:
            state = connection, self._database.version(connection)
            if state != self._state:
                self._state, self._answers = state, {}
            if question not in self._answers:
                self._answers[question] = work(connection)
            found: Result = self._answers[question]
            return found

        return self._database.read(answer)


__all__ = ["Remembered"]
