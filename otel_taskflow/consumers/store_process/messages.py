"""What goes between a process and the one that writes its store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from otel_taskflow.lifecycle.fold import Entry
from otel_taskflow.ports import JournalHeader
from otel_taskflow.values import Redaction

READY = b"ready"
"""From the child: it has imported what it needs and waits for a lease."""
RING = b"ring"
"""To the child: there is something new."""
GOODBYE = b""
"""To the child: give the store back."""


class Lease(NamedTuple):
    """Write the store from here on."""

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
    unfinished: Mapping[str, Entry]
    """The unfinished tasks after that event."""


class Committed(NamedTuple):
    """The store has the events up to this one."""

    last: int
    is_level: bool
    """True if there were no more: it waits to be rung for."""


class Returned(NamedTuple):
    """The store is given back."""

    last: int
    why: str
    """What was out of the ordinary; empty if it was asked to."""
    unfinished: Mapping[str, Entry]
    replaced: int
    """Damaged files that were put aside."""
    said: Sequence[tuple[int, str]]
    """Level and text of what is to be logged."""
