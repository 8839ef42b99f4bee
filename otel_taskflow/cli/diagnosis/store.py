"""The store's file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from otel_taskflow.cli.diagnosis.access import is_there, remedy_of
from otel_taskflow.cli.diagnosis.findings import NOTE, OK, PROBLEM, Finding, size
from otel_taskflow.errors import StoreError
from otel_taskflow.sqlite.aside import asides
from otel_taskflow.stores.opening import open_store
from otel_taskflow.stores.sqlite.inspecting import inspect
from otel_taskflow.stores.sqlite.store import SqliteStore

_DAMAGED = "a damaged file is moved aside at the next start, and what the journals still have is written again"
LARGE_LOG = 256 * 1024**2
"""Bytes of a write-ahead log that is not moved into its database any more."""


def file_of(spec: Any, root: Path) -> Path | None:
    """The file that these settings mean; None if it is none."""
    store = open_store(spec, root)
    return Path(store.location) if isinstance(store, SqliteStore) else None


def check(spec: Any, root: Path) -> Iterator[Finding]:
    """What is in it, and whether it can be read."""
    path = file_of(spec, root)
    if path is None:
        yield Finding(NOTE, f"store={spec!r} is no file that can be looked at")
        return
    for moved in _put_aside(path):
        yield Finding(NOTE, f"a damaged file was moved to {moved}", "check that disk; delete it when you have seen it")
    if not is_there(path):
        remedy = "it is made when the app starts; a store that only your code names is found with --app MODULE"
        yield Finding(NOTE, f"{path} is not there yet", remedy)
        return
    if path.is_dir():
        yield Finding(PROBLEM, f"{path} is a folder", "name a file in it with store=")
        return
    try:
        found = inspect(path)
    except StoreError as error:
        yield Finding(PROBLEM, str(error), remedy_of(error, path, damaged=_DAMAGED))
        return
    text = f"{path}: {found.tasks} tasks, {size(found.used_bytes)}, schema {found.schema} of {found.newest_schema}"
    yield Finding(OK, text)
    if found.schema < found.newest_schema:
        yield Finding(NOTE, "it is of an older release", "it is brought up to date at the next start")
    if found.wal_bytes > LARGE_LOG:
        remedy = "end what reads it for long: another program that has the file open"
        yield Finding(PROBLEM, f"its write-ahead log has {size(found.wal_bytes)}", remedy)


def _put_aside(path: Path) -> Sequence[Path]:
    try:
        return asides(path)
    except OSError:
        return []
