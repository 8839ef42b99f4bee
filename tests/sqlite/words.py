"""A database of words."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from otel_taskflow.errors import StoreError, StoreVersionError
from otel_taskflow.sqlite.database import FileDatabase
from otel_taskflow.sqlite.migrate import Migration
from otel_taskflow.sqlite.naming import Label

MIGRATIONS = [Migration(1, 1, ["CREATE TABLE words (word TEXT NOT NULL)"])]


def label(place: str) -> Label:
    return Label("words", place, "words=", StoreError, StoreVersionError)


def make(path: Path) -> FileDatabase:
    database = FileDatabase(
        path, label(str(path)), MIGRATIONS, lambda moved, connection: add(connection, f"was {moved.name[:16]}")
    )
    database.open()
    return database


def add(connection: sqlite3.Connection, word: str) -> None:
    connection.execute("INSERT INTO words VALUES (?)", (word,))
