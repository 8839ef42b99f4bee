"""Disk space that is given back, and the figures of the whole file."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from otel_taskflow.health import Figure
from otel_taskflow.spool.ledger import Ledger
from otel_taskflow.spool.reading import read_dropped
from otel_taskflow.spool.statements import SQL

PAGES_AT_ONCE = 250
"""Pages, 1 MB, that one transaction gives back; some 20 ms."""
STEPS_AT_ONCE = 50
"""Such transactions in a row."""
FREE_PAGES_KEPT = 1000
"""Pages, 4 MB, that stay for what comes next."""


def steps_to_give_back(connection: sqlite3.Connection) -> int:
    """How often pages should be given back now. As many as are used may stay: after an outage comes another."""
    free, all_ = _pragma(connection, "freelist_count"), _pragma(connection, "page_count")
    surplus = free - max(FREE_PAGES_KEPT, all_ // 2)
    return min(STEPS_AT_ONCE, max(0, -(-surplus // PAGES_AT_ONCE)))


def give_back_pages(connection: sqlite3.Connection) -> None:
    """One step."""
    connection.execute(f"PRAGMA incremental_vacuum({PAGES_AT_ONCE})").fetchall()


def figures(connection: sqlite3.Connection) -> Mapping[str, Figure]:
    """What a person wants to know of the file."""
    queues = Ledger(connection).queues()
    (quarantined,) = connection.execute(SQL["count_quarantined"]).fetchone()
    return {
        "messages": sum(queue.waiting.messages for queue in queues),
        "bytes": sum(queue.waiting.bytes for queue in queues),
        "held": sum(queue.held.messages for queue in queues),
        "quarantined": quarantined,
        "delivered": sum(queue.delivered for queue in queues),
        "dropped": sum(read_dropped(connection).values()),
        "file_bytes": _pragma(connection, "page_count") * _pragma(connection, "page_size"),
    }


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
