"""Python, packages, SQLite."""

from __future__ import annotations

import platform
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from importlib import metadata

from otel_taskflow.cli.diagnosis.findings import NOTE, OK, PROBLEM, Finding
from otel_taskflow.version import __version__

PACKAGES = (
    "fastapi",
    "starlette",
    "pydantic",
    "opentelemetry-api",
    "opentelemetry-sdk",
    "opentelemetry-exporter-otlp-proto-http",
    "requests",
    "aiosqlite",
)
_WAL_BUG_FIXED = (3, 51, 3)


def check() -> Iterator[Finding]:
    """What runs here."""
    yield Finding(OK, f"otel-taskflow {__version__}, Python {platform.python_version()}, {platform.platform()}")
    yield Finding(OK, ", ".join(f"{name} {_version(name)}" for name in PACKAGES))
    yield from _sqlite()


def _sqlite() -> Iterator[Finding]:
    text = f"SQLite {sqlite3.sqlite_version}"
    with closing(sqlite3.Connection(":memory:")) as connection:
        has_fts5 = ("fts5",) in connection.execute("PRAGMA module_list").fetchall()
    if not has_fts5:
        yield Finding(
            PROBLEM, f"{text} without FTS5", "use a Python whose SQLite has FTS5: the search in lines needs it"
        )
        return
    yield Finding(OK, f"{text} with FTS5")
    if sqlite3.sqlite_version_info < _WAL_BUG_FIXED:
        yield Finding(NOTE, "this SQLite has a bug in resetting its write-ahead log; otel_taskflow's own way avoids it")


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "(not installed)"
