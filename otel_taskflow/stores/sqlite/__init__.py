"""The embedded store."""

from otel_taskflow.stores.sqlite.store import SqliteStore, SqliteWriter

__all__ = ["SqliteStore", "SqliteWriter"]
