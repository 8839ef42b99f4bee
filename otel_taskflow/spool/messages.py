"""What goes into the spool and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

SIGNALS = ("traces", "logs")

DISK_BUDGET = "disk_budget"
AGE_LIMIT = "age_limit"
QUARANTINED = "quarantined"
SPOOL_CORRUPT = "spool_corrupt"


class Source(NamedTuple):
    """Resource and scope around a message, each encoded once."""

    resource: bytes
    resource_schema_url: str
    scope: bytes
    scope_schema_url: str


class Message(NamedTuple):
    """One encoded span or log record, for one destination."""

    destination: str
    signal: str
    """ "traces" or "logs"."""
    source: Source
    body: bytes
    time: int
    """Unix nanoseconds from which its age counts, for the age limit: when it was made."""
    held_for: str | None = None
    """Key of an attempt whose end decides whether it is sent."""


class SpoolWrite(NamedTuple):
    """One slice of one journal: everything in one transaction with the offset.

    ``released`` and ``discarded`` hold for the slice's own messages, too, wherever in it they are.
    """

    journal_id: str
    offset: int
    messages: Sequence[Message] = ()
    open_attempts: Mapping[str, bytes] = {}
    """State of attempts that are still running after the slice, by key. Replaces what was stored."""
    closed_attempts: Sequence[str] = ()
    """Keys whose state is deleted."""
    released: Sequence[tuple[str, str]] = ()
    """(destination, attempt key) of held messages that may go. They go behind what waits already."""
    discarded: Sequence[tuple[str, str]] = ()
    """(destination, attempt key) of held messages that are deleted, by choice: that is no loss."""
    dropped: Mapping[tuple[str, str, str], int] = {}
    """What to add to the counters, by (destination, signal, reason)."""


class Stored(NamedTuple):
    """A message that waits. Messages of one source share the object."""

    id: int
    """Never given twice."""
    source: Source
    body: bytes
    time: int


class Quarantined(NamedTuple):
    """A message that the destination refused, with its answer."""

    id: int
    signal: str
    source: Source
    body: bytes
    time: int
    status: int
    answer: str
    quarantined_at: int


class Backlog(NamedTuple):
    """What waits to be sent, without what is held."""

    messages: int
    bytes: int
    oldest: int | None
    """Time of the message that is next."""


class Counters(NamedTuple):
    """What was delivered since the file was made."""

    delivered: int
    bytes: int
    """Of bodies. Of what was evicted while it was being sent nobody knows them any more."""
    since: int
    """Unix nanoseconds."""


class Limits(NamedTuple):
    """How much one destination may leave on this disk, held messages included."""

    max_bytes: int = 512 * 1024 * 1024
    max_age: float = 7 * 24 * 3600.0
    """Seconds."""
