"""What goes between a process and the one that writes its store: pickles, since both are one program."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from otel_taskflow.lifecycle.fold import Entry
from otel_taskflow.ports import JournalHeader
from otel_taskflow.values import Redaction

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

READY = b"ready"
"""From the child: it has imported what it needs and waits for a lease."""
RING = b"ring"
"""To the child: there is something new."""
GOODBYE = b""
"""To the child: give the store back."""


AT_ONCE = 100
"""Tasks in one message: pickling keeps the interpreter lock."""


class Lease(NamedTuple):
    """Write the store from here on. The tasks that are unfinished then follow."""

    pid: int
    """Of the parent: whose parent is another is an orphan."""
    journal: Path
    """The folder of the parent's journal."""
    header: JournalHeader
    store: Path
    syncs_commits: bool
    redaction: Redaction
    after: int
    """Sequence number of the last event that the store has."""


class Committed(NamedTuple):
    """The store has the events up to this one."""

    last: int
    is_level: bool
    """True if there were no more: it waits to be rung for."""


class Returned(NamedTuple):
    """The store is given back. The tasks that are unfinished then follow."""

    last: int
    why: str
    """What was out of the ordinary; empty if it was asked to."""
    replaced: int
    """Damaged files that were put aside."""
    said: Sequence[tuple[int, str]]
    """Level and text of what is to be logged."""


def send_unfinished(
    connection: Connection, unfinished: Mapping[str, Entry], pause: Callable[[], None] = lambda: None
) -> None:
    """Send the tasks, piece by piece; ``pause`` is called between two. Raises OSError."""
    entries = iter(unfinished.items())
    while piece := list(islice(entries, AT_ONCE)):
        connection.send_bytes(pickle.dumps(piece))
        pause()
    connection.send_bytes(pickle.dumps([]))


def receive_unfinished(connection: Connection, pause: Callable[[], None] = lambda: None) -> dict[str, Entry]:
    """The tasks that the other end sends. Raises EOFError, OSError."""
    unfinished: dict[str, Entry] = {}
    while piece := pickle.loads(connection.recv_bytes()):  # noqa: S301 - from the process at the other end, which is ours
        unfinished.update(piece)
        pause()
    return unfinished
