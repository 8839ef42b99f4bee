"""A store's file as somebody sees it who does not use it: read-only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from otel_taskflow.sqlite.connection import connect
from otel_taskflow.sqlite.file import closing
from otel_taskflow.sqlite.migrate import check
from otel_taskflow.sqlite.naming import named_errors
from otel_taskflow.stores.sqlite.apply import stored_offset
from otel_taskflow.stores.sqlite.prune import count_tasks, used_bytes
from otel_taskflow.stores.sqlite.schema import MIGRATIONS, label


class Inspection(NamedTuple):
    """What a store's file says about itself."""

    schema: int
    newest_schema: int
    """That this release knows."""
    tasks: int
    used_bytes: int
    wal_bytes: int
    offsets: Mapping[str, int]
    """Of the journals that were asked for: the last event that is in it."""


def inspect(path: Path, journals: Sequence[str] = ()) -> Inspection:
    """Figures. Raises StoreError for a file that cannot be read or is none of ours."""
    named, wal = label(str(path)), Path(f"{path}-wal")
    with named_errors(named), closing(connect(path, read_only=True)) as connection:
        return Inspection(
            check(connection, named, MIGRATIONS).version,
            MIGRATIONS[-1].version,
            count_tasks(connection),
            used_bytes(connection),
            wal.stat().st_size if wal.exists() else 0,
            {each: stored_offset(connection, each) for each in journals},
        )
