"""The spool, as the outbox fills it and the sender empties it."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from otel_taskflow.errors import SpoolReplacedError
from otel_taskflow.health import PartHealth
from otel_taskflow.spool import tidy
from otel_taskflow.spool.apply import add, apply, stored_offset
from otel_taskflow.spool.carry import carry_over
from otel_taskflow.spool.evict import expire
from otel_taskflow.spool.ledger import Ledger, Lost
from otel_taskflow.spool.messages import (
    Backlog,
    Counters,
    Limits,
    Message,
    Quarantined,
    SpoolWrite,
    Stored,
)
from otel_taskflow.spool.reading import backlog, delivered, quarantined, read_dropped, take
from otel_taskflow.spool.sending import Refusal, done, quarantine
from otel_taskflow.spool.sources import SourceKeys, SourcesByKey, delete_unused
from otel_taskflow.spool.state import State
from otel_taskflow.spool.statements import MIGRATIONS, SQL, label
from otel_taskflow.sqlite.database import Database, FileDatabase, MemoryDatabase

Result = TypeVar("Result")
_logger = logging.getLogger("otel_taskflow")


class Spool:
    """Encoded messages that wait for their destinations. Any thread may call, several processes may share the file.

    Everything raises SpoolError while the file is not to be had (the disk is full, another process holds it), and nothing
    has changed then; ValueError for a message that SQLite cannot hold. A file that is damaged is moved to
    ``*.corrupt-<time>`` and a fresh one is used: what it held is counted as ``spool_corrupt``, as far as that is known.

    Args:
        path: The file; None keeps everything in the memory of this process.
        limits: Of each destination. One that is not named has the limits' defaults.
        syncs_commits: Make commits safe against a power cut, too.
    """

    def __init__(self, path: Path | None, limits: Mapping[str, Limits], *, syncs_commits: bool = False) -> None:
        self.location = "memory" if path is None else str(path)
        self.is_kept = path is not None
        """Whether what waits is there for the next process."""
        self._path, self._limits = path, limits
        self._label = label(self.location)
        self._database: Database = (
            MemoryDatabase(self._label, MIGRATIONS)
            if path is None
            else FileDatabase(path, self._label, MIGRATIONS, self._on_replaced, syncs_commits=syncs_commits)
        )
        self._keys, self._sources = SourceKeys(), SourcesByKey()
        self._state = State(self._label, path)
        self._offsets: dict[str, int] = {}
        self._listeners: list[Callable[[], None]] = []

    def open(self) -> None:
        """Create or migrate the file. Idempotent. One of a newer, incompatible release is refused and left as it is."""
        with self._state.watching():
            self._database.open()
        self._change(lambda ledger: None)
        self.dropped()

    def close(self) -> None:
        """End use. Idempotent."""
        self._database.close()

    # Filling

    def write(self, write: SpoolWrite) -> None:
        """Store a slice and its offset in one transaction; nothing changes if it was written before.

        Raises SpoolReplacedError, once for each journal, if a fresh file took the place of the one that this journal was
        written to: then the offset begins anew, and what the journal still has can be written again.
        """
        if self._change(lambda ledger: self._write(ledger, write)):
            self._wake_listeners()
        self._offsets[write.journal_id] = max(write.offset, self._offsets.get(write.journal_id, 0))

    def add(self, messages: Sequence[Message]) -> None:
        """Store messages that are of no journal."""
        self._change(lambda ledger: add(ledger, self._keys, messages, self._limits))
        self._wake_listeners()

    def offset(self, journal_id: str) -> int:
        """The offset of the last slice of a journal, 0 if there is none."""
        return self._ask(lambda connection: stored_offset(connection, journal_id))

    def forget_journal(self, journal_id: str) -> None:
        """Forget the offset of a journal that is no more."""
        self._change(lambda ledger: ledger.connection.execute(SQL["forget_offset"], (journal_id,)))
        self._offsets.pop(journal_id, None)

    def open_attempt(self, key: str) -> bytes | None:
        """The state of an attempt that was running after the last slice."""
        found = self._ask(lambda connection: connection.execute(SQL["get_attempt"], (key,)).fetchone())
        return None if found is None else bytes(found[0])

    def on_write(self, call: Callable[[], None]) -> Callable[[], None]:
        """Have ``call`` called, by the writing thread, after this process has written; return how to end that."""
        self._listeners.append(call)
        return lambda: self._listeners.remove(call) if call in self._listeners else None

    # Emptying

    def take(self, destination: str, signal: str, max_messages: int, max_bytes: int) -> Sequence[Stored]:
        """The oldest messages, as many as fit, but at least one if any waits. They stay until they are ``done``."""
        limits = (max_messages, max_bytes)
        return self._ask(lambda connection: take(connection, self._sources, (destination, signal), limits))

    def done(
        self, destination: str, signal: str, ids: Sequence[int], *, dropped: tuple[str, int] | None = None
    ) -> None:
        """The destination has them: delete and count them.

        What was evicted while it was being sent is counted as delivered, and no longer as lost.

        Args:
            destination: Of the messages.
            signal: Of the messages.
            ids: Of the messages.
            dropped: Reason and number of those that the destination accepted in part and rejected.
        """
        self._change(lambda ledger: done(ledger, (destination, signal), ids, dropped))

    def quarantine(self, destination: str, signal: str, id: int, status: int, answer: str, time: int) -> None:  # noqa: A002 - what is known of a refusal
        """Put a message aside that the destination refuses, with its answer; counted as ``quarantined``."""
        refusal = Refusal(id, status, answer, time)
        self._change(lambda ledger: quarantine(ledger, (destination, signal), refusal))

    def quarantined(self, destination: str, limit: int = 100) -> Sequence[Quarantined]:
        """What was put aside last, newest first."""
        return self._ask(lambda connection: quarantined(connection, self._sources, destination, limit))

    def expire(self, now: int) -> int:
        """Delete what is beyond the age limit, oldest first until one is not, and tidy up; return how many.

        Held messages are as old as the others. To be called now and then.
        """
        expired = 0
        while count := self._change(lambda ledger: self._expire(ledger, now)):
            expired += count
        for _ in range(self._ask(tidy.steps_to_give_back)):
            self._change(lambda ledger: tidy.give_back_pages(ledger.connection))
        return expired

    # Figures

    def backlog(self, destination: str, signal: str) -> Backlog:
        """What waits to be sent."""
        return self._ask(lambda connection: backlog(connection, destination, signal))

    def delivered(self, destination: str, signal: str) -> Counters:
        """What was delivered since the file was made."""
        return self._ask(lambda connection: delivered(connection, destination, signal))

    def dropped(self) -> Lost:
        """What was lost, by (destination, signal, reason)."""
        found = self._ask(read_dropped)
        self._state.saw_dropped(found)
        return found

    def health(self) -> PartHealth:
        """Whether it can be written, and what is in it. Never raises."""
        return self._state.health(lambda: self._ask(tidy.figures))

    # Inside

    def _change(self, work: Callable[[Ledger], Result]) -> Result:
        """In a transaction, at the end of which the ledger is written."""

        def run(connection: sqlite3.Connection) -> tuple[Result, Ledger, Lost | None]:
            ledger = Ledger(connection)
            result = work(ledger)
            return result, ledger, (read_dropped(connection) if ledger.save() else None)

        with self._state.watching():
            result, ledger, dropped = self._database.write(run)
        self._state.saw(ledger)
        if dropped is not None:
            self._state.saw_dropped(dropped)
        return result

    def _ask(self, question: Callable[[sqlite3.Connection], Result]) -> Result:
        return self._database.read(question)

    def _write(self, ledger: Ledger, write: SpoolWrite) -> bool:
        offset = stored_offset(ledger.connection, write.journal_id)
        if offset < self._offsets.get(write.journal_id, 0):
            self._offsets[write.journal_id] = offset
            raise SpoolReplacedError(
                f"{self._label} was damaged, and a fresh file is in use: write what journal {write.journal_id} has "
                f"behind {offset} again"
            )
        if write.offset <= offset:
            return False
        apply(ledger, self._keys, write, self._limits)
        return bool(write.messages or write.released)

    def _expire(self, ledger: Ledger, now: int) -> int:
        expired = 0
        for queue in ledger.queues():
            max_age = self._limits.get(queue.destination, Limits()).max_age
            expired += expire(ledger, queue, now - int(max_age * 1e9))
        delete_unused(ledger)
        return expired

    def _on_replaced(self, moved: Path, fresh: sqlite3.Connection) -> None:
        carry_over(moved, fresh, self._state.known, self._limits)

    def _wake_listeners(self) -> None:
        for call in list(self._listeners):
            try:
                call()
            except Exception:  # noqa: PERF203 - what was written is written, whoever fails to hear of it
                _logger.exception("otel_taskflow: %r failed after a write to the spool", call)
