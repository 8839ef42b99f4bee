"""The schema of a file: made, brought up to date, or refused, one migration a transaction."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from otel_taskflow.sqlite.connection import transaction
from otel_taskflow.sqlite.naming import Label
from otel_taskflow.sqlite.statements import load
from otel_taskflow.version import __version__

_SQL = load(Path(__file__).parent / "queries")
_COMPATIBLE = re.compile(r"^-- compatible_from: (\d+)$", re.MULTILINE)


class Migration(NamedTuple):
    """One numbered file."""

    version: int
    compatible_from: int
    """Oldest schema version whose release can read and write the file afterwards."""
    statements: Sequence[str]


class Schema(NamedTuple):
    """What a file says about itself; version 0 is an empty file."""

    version: int
    compatible_from: int


def load_migrations(folder: Path) -> Sequence[Migration]:
    """The files ``0001_*.sql``, ..., in order."""
    return [_parse(path) for path in sorted(folder.glob("[0-9]*.sql"))]


def _parse(path: Path) -> Migration:
    text = path.read_text()
    compatible = _COMPATIBLE.search(text)
    version = int(path.name.partition("_")[0])
    return Migration(version, int(compatible[1]) if compatible else version, list(split(text)))


def split(script: str) -> Iterator[str]:
    """The statements of a script, each whole: the body of a trigger holds semicolons too."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement.strip()
            statement = ""


def check(connection: sqlite3.Connection, label: Label, migrations: Sequence[Migration]) -> Schema:
    """Read the schema; raise the label's version error if it is beyond us, its error if the file is something else's."""
    tables = {name for (name,) in connection.execute(_SQL["tables"])}
    if not tables:
        return Schema(0, 0)
    if "schema_version" not in tables:
        raise label.error(f"{label} is a database of something else; choose another file for {label.setting}")
    found = connection.execute(_SQL["schema_version"]).fetchone()
    schema = Schema(*found) if found else Schema(0, 0)
    ours = migrations[-1].version
    if schema.version > ours and schema.compatible_from > ours:
        raise label.version_error(
            f"{label} has schema {schema.version}, which needs a release that knows schema "
            f"{schema.compatible_from}; otel_taskflow {__version__} knows {ours}. Upgrade otel_taskflow, or choose "
            f"another {label.setting}. The file was left as it is."
        )
    return schema


def migrate(connection: sqlite3.Connection, label: Label, migrations: Sequence[Migration]) -> None:
    """Apply what is missing. Safe against the same in another process and against being killed anywhere."""
    for migration in migrations:
        with transaction(connection):
            if check(connection, label, migrations).version < migration.version:
                _apply(connection, migration)


def _apply(connection: sqlite3.Connection, migration: Migration) -> None:
    connection.execute(_SQL["create_schema_version"])
    for statement in migration.statements:
        connection.execute(statement)
    row = (migration.version, migration.compatible_from, time.time_ns(), __version__)
    connection.execute(_SQL["add_schema_version"], row)
