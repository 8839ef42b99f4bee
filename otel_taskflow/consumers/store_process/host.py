"""The parent's end: when a process is worth while, what it is lent, and that it is gone before the store is written here again."""

from __future__ import annotations

import json
import logging
import os
import pickle
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from time import monotonic

from otel_taskflow.consumers.pace import rest
from otel_taskflow.consumers.store import StoreConsumer
from otel_taskflow.consumers.store_process.messages import (
    GOODBYE,
    READY,
    RING,
    Committed,
    Lease,
    Returned,
    receive_unfinished,
    send_unfinished,
)
from otel_taskflow.health import Figure
from otel_taskflow.journal.writer import JournalWriter
from otel_taskflow.lifecycle.fold import Entry
from otel_taskflow.ports import Store
from otel_taskflow.stores.sqlite.store import SqliteStore
from otel_taskflow.values import Redaction

MUCH = 2_000
"""Events within a second, or waiting, from which on a process is worth while."""
QUIET = 60.0
"""Seconds with less than that after which it is not any more."""
AGAIN = 60.0
"""Seconds until the next try, after one that ended badly or could not be started."""
STILL = 30.0
"""Seconds without progress, while there is something to write, after which it is given up."""
END_LIMIT = 2.0
"""Seconds that it has to give the store back."""
LOOK_EVERY = 1.0
START_LIMIT = 2.0
"""Seconds in which nothing is written here while a process starts, if much waits: both would want the same interpreter."""

BOOT = Path(__file__).with_name("boot.py")
_logger = logging.getLogger("otel_taskflow")

Advance = Callable[[int], None]
"""Told of the last event that the store has."""


class StoreProcess:
    """Writes the store in a process of its own, while there is much to write. ``notice`` and ``run`` are for the store's thread."""

    def __init__(
        self, store: SqliteStore, consumer: StoreConsumer, journal: JournalWriter, folder: Path, redaction: Redaction
    ) -> None:
        self._store, self._consumer, self._journal, self._folder = store, consumer, journal, folder
        self._redaction = redaction
        self._load = _Load()
        self._child: _Child | None = None
        self._not_before = 0.0
        self._guard = threading.Lock()
        """Between sending and closing. Held for a moment."""
        self._wanted = 0
        self._at = 0
        """The last event of which the process said that the store has it."""
        self._is_asleep = False
        self._ends_by: float | None = None
        """When it is killed, once it was told to end."""
        self._is_closed = False

    @property
    def is_lent(self) -> bool:
        """Whether it has the store."""
        return self._consumer.is_lent

    @property
    def pid(self) -> int | None:
        """Of the process, if there is one."""
        child = self._child
        return None if child is None else child.process.pid

    def is_wanted(self, lag: int) -> bool:
        """Whether so many events that wait are for a process: reading them here first would only hold it up. For any thread."""
        return lag >= MUCH and self._may_try

    def notice(self, taken: int, lag: int) -> bool:
        """So many events were written here since the last time, and so many wait. True if a process stands ready to write them."""
        self._load.add(taken)
        if self._child is None and self._load.events + lag >= MUCH and self._may_try:
            self._start()
        if self._child is None:
            return False
        if lag >= MUCH and self._consumer.can_be_lent:
            self._child.wait_until_ready(lambda: self._is_closed)
        if self._child.is_ready():
            return self._consumer.can_be_lent
        if self._child.has_ended():
            self._bury()
            self._not_before = monotonic() + AGAIN
        return False

    @property
    def _may_try(self) -> bool:
        """Whether no try went wrong a short while ago."""
        return not self._is_closed and monotonic() >= self._not_before

    def run(self, advance: Advance) -> None:
        """Let it write, from where this process is, until it gives the store back or is gone. Raises nothing of its doing."""
        returned, unfinished, why = None, None, ""
        self._ends_by, self._is_asleep, self._wanted = None, False, self._journal.end
        if self._is_closed:
            return
        try:
            returned, unfinished = self._lend(advance)
            why = returned.why
        except (EOFError, OSError) as error:
            why = str(error) or "it is gone"
        finally:
            self._take_back(returned, unfinished, why)

    def ring(self, end: int) -> None:
        """There are events up to this one. For any thread."""
        self._wanted = end
        if self._is_asleep and end > self._at:
            self._is_asleep = False
            self._say(RING)

    def end(self) -> None:
        """Have the store given back soon. For any thread."""
        if self._ends_by is None:
            self._ends_by = monotonic() + END_LIMIT
            self._say(GOODBYE)

    def close(self) -> None:
        """End, and do not begin again. For any thread."""
        self._is_closed = True
        self.end()

    def dismiss(self) -> None:
        """End a process that stands ready. For the store's thread, after all else."""
        self._bury()

    def figures(self) -> Mapping[str, Figure]:
        """For the health of the store's consumer. The id as a text: it is not an amount."""
        pid = self.pid
        return {"process": None if pid is None else str(pid)}

    # The child

    def _start(self) -> None:
        try:
            self._child = _Child()
        except OSError as error:
            self._not_before = monotonic() + AGAIN
            _logger.info("otel_taskflow: no process could be started to write the store, it is written here: %s", error)

    def _say(self, message: bytes) -> None:
        with self._guard, suppress(OSError):
            if self._child is not None:
                self._child.connection.send_bytes(message)

    def _bury(self) -> None:
        with self._guard:
            child, self._child = self._child, None
        if child is not None:
            child.end()

    # Lending

    def _lend(self, advance: Advance) -> tuple[Returned, Mapping[str, Entry]]:
        if self._child is None:
            raise EOFError
        lent = self._consumer.lend(self.end)
        terms = (self._store.path, self._store.syncs_commits, self._redaction)
        lease = Lease(os.getpid(), self._folder, self._journal.header, *terms, lent.after)
        connection = self._child.connection
        connection.send_bytes(pickle.dumps(lease))
        send_unfinished(connection, lent.unfinished, rest)
        _logger.info("otel_taskflow: process %s writes the store now", self.pid)
        self._at = lent.after
        return self._follow(connection, advance), receive_unfinished(connection, rest)

    def _follow(self, connection: Connection, advance: Advance) -> Returned:
        moved_at, self._load = monotonic(), _Load()
        while True:
            if connection.poll(LOOK_EVERY):
                message: Committed | Returned = pickle.loads(connection.recv_bytes())  # noqa: S301 - from our own process
                if isinstance(message, Returned):
                    return message
                self._note(message, advance)
                moved_at = monotonic()
            self._look(moved_at)

    def _note(self, message: Committed, advance: Advance) -> None:
        self._load.add(message.last - self._at)
        self._at = message.last
        self._consumer.written_elsewhere(message.last)
        advance(message.last)
        self._is_asleep = message.is_level
        if self._wanted > message.last:
            self.ring(self._wanted)

    def _look(self, moved_at: float) -> None:
        """See whether it is still worth while, and well. Raises EOFError if it is to be given up."""
        now = monotonic()
        if self._ends_by is not None and now > self._ends_by:
            raise EOFError(f"it did not give the store back within {END_LIMIT:.0f} s")
        if self._at < self._wanted and now - moved_at > STILL:
            raise EOFError(f"it has written nothing for {STILL:.0f} s")
        if self._load.is_quiet:
            self.end()

    def _take_back(self, returned: Returned | None, unfinished: Mapping[str, Entry] | None, why: str) -> None:
        """Only when it is dead is anything written here: nobody else writes the events of this journal."""
        pid = self.pid
        self._bury()
        if why and not self._is_closed:
            self._not_before = monotonic() + AGAIN
            _logger.warning(
                "otel_taskflow: process %s does not write the store any more, it is written here: %s", pid, why
            )
        if returned is not None:
            self._store.writer.replaced += returned.replaced
            for level, text in returned.said:
                _logger.log(level, text)
        self._load = _Load()
        self._store.writer.expect(self._journal.id, self._at)
        self._consumer.take_back(unfinished)


def process_for(
    store: Store, consumer: StoreConsumer, journal: JournalWriter, redaction: Redaction
) -> StoreProcess | None:
    """One for a store and a journal that other processes can open; None for others, and where no Python can be
    started, as in an app that is one file."""
    is_python = Path(sys.executable or "").name.startswith(("python", "pypy"))
    if not isinstance(store, SqliteStore) or journal.folder is None or not (is_python and BOOT.is_file()):
        return None
    return StoreProcess(store, consumer, journal, journal.folder, redaction)


class _Load:
    """How much there is to write, counted by the second."""

    def __init__(self) -> None:
        self._since = self._much_at = monotonic()
        self.events = 0
        """Within this second."""

    def add(self, events: int) -> None:
        """So many more."""
        now = monotonic()
        if now - self._since >= 1.0:
            self._since, self.events = now, 0
        self.events += events
        if self.events >= MUCH:
            self._much_at = now

    @property
    def is_quiet(self) -> bool:
        """Whether it has been little for a while."""
        return monotonic() - self._much_at > QUIET


class _Child:
    """A process that has no lease yet, or has one. Raises OSError if it cannot be started."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        path = [str(Path(place or ".").absolute()) for place in sys.path]
        with ours, theirs:
            # All that it needs to start, so that it need not wait until this thread has the interpreter again.
            command = [sys.executable, "-I", str(BOOT), str(theirs.fileno()), json.dumps(path)]
            self.process = subprocess.Popen(  # noqa: S603 - our own file
                command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
            )
            self.connection = Connection(ours.detach())
        self._is_ready, self._ready_by = False, monotonic() + START_LIMIT

    def is_ready(self) -> bool:
        """Whether it waits for a lease."""
        if not self._is_ready and self.connection.poll(0):
            with suppress(EOFError, OSError):
                self._is_ready = self.connection.recv_bytes() == READY
        return self._is_ready and not self.has_ended()

    def wait_until_ready(self, is_enough: Callable[[], bool]) -> None:
        """Give it the time that it takes to start."""
        while not (self.is_ready() or self.has_ended() or is_enough()) and monotonic() < self._ready_by:
            self.connection.poll(LOOK_EVERY / 20)

    def has_ended(self) -> bool:
        """Whether it is gone: it could not start, or nobody needed it."""
        return self.process.poll() is not None

    def end(self) -> None:
        """Kill it, if it is not gone, and wait until it is."""
        self.process.kill()
        self.process.wait()
        self.connection.close()
