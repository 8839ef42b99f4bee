"""The process that writes the store. It knows the plain case only: at anything else it gives the store back to its parent."""

from __future__ import annotations

import logging
import os
import pickle
from contextlib import suppress
from multiprocessing.connection import Connection
from time import monotonic, sleep

from otel_taskflow.consumers.loading import loading
from otel_taskflow.consumers.redacting import redactor
from otel_taskflow.consumers.slices import Decoder
from otel_taskflow.consumers.store_process.messages import (
    GOODBYE,
    READY,
    Committed,
    Lease,
    Returned,
    receive_unfinished,
    send_unfinished,
)
from otel_taskflow.errors import JournalError
from otel_taskflow.journal.lock import STORE_LOCK_NAME, try_lock
from otel_taskflow.journal.neighbour import NeighbourReader
from otel_taskflow.lifecycle.fold import Fold
from otel_taskflow.ports import JournalSlice
from otel_taskflow.stores.sqlite.file_writer import SqliteWriter

SLICE = 1000
"""Events at once. Nobody waits for the interpreter here, but other processes for the store's lock."""
TELL_EVERY = 0.05
"""Seconds between two messages about progress while there is more to do."""
LEASE_LIMIT = 60.0
"""Seconds after which a process that nobody needs ends."""
LOOK_EVERY = 1.0
"""Seconds after which an idle child looks whether its parent lives: a fork of the parent may hold the other end open."""
PATIENCE = 0.2
"""Seconds within which a record that was written must be there to be read. What is not is in the parent's memory."""


def serve(connection: Connection) -> None:
    """Write what one lease asks for. Ends without a word if the parent is gone."""
    with suppress(EOFError, OSError):
        connection.send_bytes(READY)
        if not connection.poll(LEASE_LIMIT):
            return
        lease: Lease = pickle.loads(connection.recv_bytes())  # noqa: S301 - from the process that started this one
        # Whoever takes over the journal of the parent looks at this lock after the parent's, and this looks at the parent after it.
        lock = try_lock(lease.journal / STORE_LOCK_NAME)
        if lock is not None and os.getppid() == lease.pid:
            _write(connection, lease)


def _write(connection: Connection, lease: Lease) -> None:
    # The file is not closed: the ballast beside it is the parent's too.
    writer = SqliteWriter(lease.store, syncs_commits=lease.syncs_commits, is_alone=True)
    fold = Fold(lease.header.journal_id, loading(writer), unfinished=receive_unfinished(connection))
    work = _Work(connection, lease, writer, fold)
    why, said = "", _Said()
    try:
        writer.open()
        writer.expect(lease.header.journal_id, lease.after)
        work.run()
    except (EOFError, OSError):
        raise
    except Exception as error:  # noqa: BLE001 - the parent does it again, and says what is to be said
        why = f"{type(error).__name__}: {error}"
    connection.send(Returned(work.at, why, writer.replaced, said.records))
    send_unfinished(connection, fold.unfinished)


class _Said(logging.Handler):
    """Keeps what is logged here, where no handler of the app's is, for the parent."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: list[tuple[int, str]] = []
        logging.getLogger().addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """See Handler."""
        self.records.append((record.levelno, record.getMessage()))


class _Work:
    """Follows the parent's journal until it is told to stop."""

    def __init__(self, connection: Connection, lease: Lease, writer: SqliteWriter, fold: Fold) -> None:
        self._connection, self._lease, self._writer, self._fold = connection, lease, writer, fold
        self._reader = NeighbourReader(lease.journal, lease.after)
        self._decoder = Decoder(redactor(lease.redaction), size=SLICE, pause=_go_on)
        self._told_at = 0.0
        self._missed_since: float | None = None
        self.at = lease.after
        """The last event that the store has."""

    def run(self) -> None:
        """Raises what is out of the ordinary; EOFError, OSError if the parent is gone."""
        while not self._is_over():
            piece = self._decoder.next_slice(self._lease.header, self._reader)
            if piece is None and self._reader.end > self._reader.at:
                self._miss()
                continue
            if piece is not None:
                self._take(piece)
            # What comes from here on is gathered by the parent, which rings: a commit costs as much as many rows.
            is_level = piece is None or piece.last - piece.first + 1 < SLICE
            if is_level or monotonic() - self._told_at > TELL_EVERY:
                self._tell(is_level)
            if is_level:
                self._connection.poll(LOOK_EVERY)

    def _is_over(self) -> bool:
        if os.getppid() != self._lease.pid:
            raise EOFError
        while self._connection.poll(0):
            if self._connection.recv_bytes() == GOODBYE:
                return True
        return False

    def _take(self, piece: JournalSlice) -> None:
        self._missed_since = None
        if len(piece.events) <= piece.last - self.at - 1:
            raise JournalError(f"of the events {self.at + 1} to {piece.last} only {len(piece.events)} can be read")
        try:
            self._writer.write(self._fold.fold(piece))
        except BaseException:
            self._fold.undo()
            raise
        self.at = piece.last

    def _miss(self) -> None:
        """The number of the last record is ahead of what can be read."""
        now = monotonic()
        self._missed_since = self._missed_since or now
        if now - self._missed_since > PATIENCE:
            raise JournalError(f"the events after {self._reader.at} are not in the files of the journal")
        sleep(PATIENCE / 20)

    def _tell(self, is_level: bool) -> None:
        self._told_at = monotonic()
        self._connection.send(Committed(self.at, is_level))


def _go_on() -> None:
    """Nobody here waits for the interpreter."""
