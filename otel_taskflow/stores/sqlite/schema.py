"""The schema of a store, and what errors call one."""

from __future__ import annotations

from pathlib import Path

from otel_taskflow.errors import StoreError, StoreVersionError
from otel_taskflow.sqlite.migrate import load_migrations
from otel_taskflow.sqlite.naming import Label

MIGRATIONS = load_migrations(Path(__file__).parent / "migrations")


def label(location: str) -> Label:
    """What errors call the store at this place."""
    return Label("store", location, "store=", StoreError, StoreVersionError)
