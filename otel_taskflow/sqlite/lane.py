"""Who may use a connection: one thread at a time, and never a forked child."""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from otel_taskflow.sqlite.connection import transaction
from otel_taskflow.sqlite.naming import Label, named_errors

FORK_PATIENCE = 1.0
"""Seconds that a fork waits for a call into SQLite to end."""

_lanes: weakref.WeakSet[Lane | Passage] = weakref.WeakSet()
_inherited: list[object] = []
"""Connections of the parent process. Closing one here would drop the parent's locks, so they are kept for good."""


class Lane:
    """One connection and the lock that guards it. After a fork the child opens its own."""

    def __init__(
        self,
        label: Label,
        open_connection: Callable[[], sqlite3.Connection],
        after_commit: Callable[[sqlite3.Connection], None] = lambda _: None,
    ) -> None:
        self._label = label
        self._open_connection = open_connection
        self._after_commit = after_commit
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.RLock()
        self._is_open = False
        _lanes.add(self)

    def open(self) -> None:
        """Allow use. The connection is made when it is first needed."""
        self._is_open = True

    def close(self) -> None:
        """Close the connection after the call that is using it. Idempotent."""
        with self._lock:
            self._is_open = False
            self.reconnect()

    def reconnect(self) -> None:
        """Close the connection after the call that is using it; the next use makes another."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    @property
    def is_open(self) -> bool:
        """Whether it may be used."""
        return self._is_open

    @contextmanager
    def use(self) -> Iterator[sqlite3.Connection]:
        """The connection, for this thread alone. Errors of the driver leave as the label says."""
        with self._lock, named_errors(self._label):
            yield self._ready_connection()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """The connection inside a write transaction; what has to be done after a commit follows it."""
        with self.use() as connection:
            with transaction(connection):
                yield connection
            self._after_commit(connection)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other threads out around several uses."""
        with self._lock:
            yield

    @contextmanager
    def try_use(self) -> Iterator[sqlite3.Connection | None]:
        """As ``use`` if nobody else uses it, else None at once."""
        if not self._lock.acquire(blocking=False):
            yield None
            return
        try:
            with named_errors(self._label):
                yield self._ready_connection()
        finally:
            self._lock.release()

    def pause(self) -> bool:
        """Wait until nobody is in it, and keep others out until ``go_on``. False if that takes too long."""
        return self._lock.acquire(timeout=FORK_PATIENCE)

    def go_on(self) -> None:
        """Let others in again."""
        self._lock.release()

    def forget_parent(self) -> None:
        """In a forked child: leave the parent's connection alone; another thread may have held the lock."""
        self._lock = threading.RLock()
        if self._connection is not None:
            _inherited.append(self._connection)
            self._connection = None

    def _ready_connection(self) -> sqlite3.Connection:
        if not self._is_open:
            raise self._label.error(f"{self._label} is not open; call open() first")
        if self._connection is None:
            self._connection = self._open_connection()
        return self._connection


class Passage:
    """For connections of a moment, outside of a lane. A fork waits for these, too."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        _lanes.add(self)

    @contextmanager
    def use(self) -> Iterator[None]:
        """Inside, SQLite may be used."""
        with self._lock:
            yield

    def pause(self) -> bool:
        """As that of a lane."""
        return self._lock.acquire(timeout=FORK_PATIENCE)

    def go_on(self) -> None:
        """As that of a lane."""
        self._lock.release()

    def forget_parent(self) -> None:
        """In a forked child: another thread may have held the lock."""
        self._lock = threading.RLock()


passage = Passage()


class _Fork:
    """A fork waits until nobody is in a lane or passage: a child of a process inside SQLite finds SQLite's own locks taken."""

    def __init__(self) -> None:
        self._one_at_a_time = threading.Lock()
        self._paused: list[Lane | Passage] = []

    def before(self) -> None:
        """In the parent, whose other threads come to rest."""
        self._one_at_a_time.acquire()
        self._paused = [lane for lane in list(_lanes) if lane.pause()]

    def after_in_parent(self) -> None:
        """Everybody goes on."""
        for lane in self._paused:
            lane.go_on()
        self._one_at_a_time.release()

    def after_in_child(self) -> None:
        """Nothing of the parent's is used."""
        for lane in list(_lanes):
            lane.forget_parent()
        self._one_at_a_time.release()


_fork = _Fork()
os.register_at_fork(before=_fork.before, after_in_parent=_fork.after_in_parent, after_in_child=_fork.after_in_child)
