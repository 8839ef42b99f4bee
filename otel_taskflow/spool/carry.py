"""The file was damaged: its counters go on in the fresh one, and what it held is counted as lost."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from otel_taskflow.spool.ledger import Ledger, Queue
from otel_taskflow.spool.messages import SIGNALS, SPOOL_CORRUPT
from otel_taskflow.spool.reading import read_dropped
from otel_taskflow.spool.state import Known
from otel_taskflow.spool.statements import SQL
from otel_taskflow.sqlite.connection import connect
from otel_taskflow.sqlite.file import closing

Value = TypeVar("Value")


def carry_over(moved: Path, fresh: sqlite3.Connection, known: Known, destinations: Iterable[str]) -> None:
    """Write the counters into the fresh file. What nobody can say counts as one message of each queue."""
    found = _read(moved, known)
    ledger = Ledger(fresh)
    if found.made_at is not None:
        fresh.execute(SQL["set_made_at"], (found.made_at,))
    ledger.drop_all(found.dropped or {})
    if found.queues is None:
        ledger.drop_all({(name, signal, SPOOL_CORRUPT): 1 for name in destinations for signal in SIGNALS})
    for old in found.queues or ():
        queue = ledger.queue(old.destination, old.signal)
        queue.delivered, queue.delivered_bytes = old.delivered, old.delivered_bytes
        ledger.drop(queue, SPOOL_CORRUPT, old.waiting.messages + old.held.messages)
    ledger.save()


def _read(moved: Path, known: Known) -> Known:
    """From the damaged file as far as it can be read: it knows what other processes did, too."""
    try:
        connection = connect(moved, read_only=True)
    except sqlite3.Error:
        return known
    with closing(connection):
        return Known(
            _ask(lambda: int(connection.execute(SQL["about"]).fetchone()[0]), known.made_at),
            _ask(lambda: [Queue.from_row(row) for row in connection.execute(SQL["queues"])], known.queues),
            _ask(lambda: read_dropped(connection), known.dropped),
        )


def _ask(question: Callable[[], Value], otherwise: Value | None) -> Value | None:
    try:
        return question()
    except (sqlite3.Error, ValueError, TypeError):  # a damaged page may hold anything
        return otherwise
