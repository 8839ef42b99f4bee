"""The statements and the schema of the spool, from the .sql files beside this module."""

from __future__ import annotations

from pathlib import Path

from otel_taskflow.errors import SpoolError
from otel_taskflow.sqlite.migrate import load_migrations
from otel_taskflow.sqlite.naming import Label
from otel_taskflow.sqlite.statements import load

_HERE = Path(__file__).parent
SQL = load(_HERE / "queries")
MIGRATIONS = load_migrations(_HERE / "migrations")


def label(location: str) -> Label:
    """What errors call the spool at this place."""
    return Label("spool", location, "dir=", SpoolError, SpoolError)
