"""The writing half. A file has a connection for what writes and one for what only reads: no question waits for a slice."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from otel_taskflow.errors import StoreReplacedError
from otel_taskflow.model import AttemptRow, TaskRow
from otel_taskflow.ports import Command, StoreUsage, StoreWrite
from otel_taskflow.sqlite.database import Database
from otel_taskflow.sqlite.remembered import Remembered
from otel_taskflow.stores.sqlite.apply import BESIDE_AN_APP, Inserts, announce, apply, counter, stored_offset
from otel_taskflow.stores.sqlite.prune import Strides, count_tasks, prune, used_bytes
from otel_taskflow.stores.sqlite.rows import attempt_from_tuple, task_from_tuple
from otel_taskflow.stores.sqlite.statements import SQL

FEED_LENGTH = 10_000
"""Entries of the change feed that are kept."""
COMMAND_LIFE = 24 * 3600 * 1_000_000_000
"""Nanoseconds after which a verb that nobody took is dropped."""


class _Litter(NamedTuple):
    """What may have to be tidied up."""

    last_change: int
    trimmed_to: int
    oldest_command: int | None
    """Unix nanoseconds."""

    def is_due(self, forgotten_before: int) -> bool:
        """Whether there is enough of it."""
        is_forgotten = self.oldest_command is not None and self.oldest_command < forgotten_before
        return is_forgotten or self.last_change - self.trimmed_to > FEED_LENGTH * 1.1


class SqlWriter:
    """StoreWriter over a database. ``inserts``: how it puts rows into it."""

    def __init__(self, database: Database, inserts: Inserts = BESIDE_AN_APP) -> None:
        self._database = database
        self._inserts = inserts
        self._remembered = Remembered(database)
        self._strides = Strides()
        self._offsets: dict[str, int] = {}
        """Of the journals that this process has written: a store that has less was replaced."""

    def open(self) -> None:
        """See StoreWriter."""
        self._offsets.clear()
        self._database.open()

    def close(self) -> None:
        """See StoreWriter."""
        self._database.close()

    # Slices

    def write(self, write: StoreWrite) -> int:
        """See StoreWriter.

        Raises StoreReplacedError, once, if the store does not have any more what this process wrote of that journal.
        """
        journal_id, expected = write.journal_id, self._offsets.get(write.journal_id, 0)
        try:
            last_change = self._database.write(lambda connection: apply(connection, write, expected, self._inserts))
        except StoreReplacedError:
            self._offsets.pop(journal_id, None)
            raise
        self._offsets[journal_id] = max(write.offset, expected)
        return last_change

    def offset(self, journal_id: str) -> int:
        """See StoreWriter. Whoever has asked knows where to go on, also in a store that was replaced."""
        offset = self._remembered.read(("offset", journal_id), lambda connection: stored_offset(connection, journal_id))
        if offset < self._offsets.get(journal_id, 0):
            self._offsets.pop(journal_id, None)
        return offset

    def expect(self, journal_id: str, offset: int) -> None:
        """Somebody else has written that journal up to here: a store that has less was replaced."""
        self._offsets[journal_id] = max(offset, self._offsets.get(journal_id, 0))

    def forget_journal(self, journal_id: str) -> None:
        """See StoreWriter."""
        self._database.write(lambda connection: connection.execute(SQL["forget_offset"], (journal_id,)))
        self._offsets.pop(journal_id, None)

    # Questions

    def load_tasks(self, task_ids: Sequence[str]) -> Mapping[str, TaskRow]:
        """See StoreWriter."""
        wanted = json.dumps(list(task_ids))
        found = self._database.read(lambda connection: connection.execute(SQL["get_tasks"], (wanted,)).fetchall())
        return {values[0]: task_from_tuple(values) for values in found}

    def load_attempt(self, task_id: str, attempt: int) -> AttemptRow | None:
        """See StoreWriter."""
        found = self._find("get_attempt", task_id, attempt)
        return attempt_from_tuple(task_id, found) if found else None

    def find_idempotent(self, name: str, key: str) -> str | None:
        """See StoreWriter."""
        found = self._find("find_idempotent", name, key)
        return str(found[0]) if found else None

    def _find(self, statement: str, *parameters: object) -> Any:
        """The first row of a statement, or None."""
        return self._database.read(lambda connection: connection.execute(SQL[statement], parameters).fetchone())

    # Owners

    def claim(self, previous_owner: str, new_owner: str, *, idle_only: bool = False) -> Sequence[TaskRow]:
        """See StoreWriter."""
        return self._database.write(lambda connection: _claim(connection, previous_owner, new_owner, idle_only))

    def owned(self, owner: str) -> Sequence[TaskRow]:
        """See StoreWriter."""
        return self._database.read(lambda connection: _owned(connection, owner))

    def owners(self) -> Sequence[str]:
        """See StoreWriter."""
        return self._remembered.read(
            "owners", lambda connection: [owner for (owner,) in connection.execute(SQL["owners"])]
        )

    # Commands

    def add_command(self, task_id: str, verb: str, actor: str, time: int) -> int:
        """See StoreWriter."""
        row = (task_id, verb, time, actor)
        return self._database.write(lambda connection: int(connection.execute(SQL["add_command"], row).lastrowid or 0))

    def take_commands(self, owner: str) -> Sequence[Command]:
        """See StoreWriter. Costs no write transaction while there is nothing to take."""
        if not self._remembered.read(("commands", owner), lambda connection: _commands(connection, owner)):
            return []
        return self._database.write(lambda connection: _take_commands(connection, owner))

    # Housekeeping

    def prune(self, before: int, max_bytes: int, limit: int = 500) -> int:
        """See StoreWriter."""
        return prune(self._database, self._strides, before, max_bytes, limit)

    def usage(self) -> StoreUsage:
        """See StoreWriter."""
        return self._database.read(_usage)

    def maintain(self) -> None:
        """Shorten the change feed and drop verbs that nobody took. Costs no write transaction if there is nothing to do."""
        forgotten_before = time.time_ns() - COMMAND_LIFE
        litter = self._remembered.read("litter", _look_around)
        if litter.is_due(forgotten_before):
            until = litter.last_change - FEED_LENGTH
            self._database.write(lambda connection: _tidy(connection, until, forgotten_before))


def _claim(connection: sqlite3.Connection, previous_owner: str, new_owner: str, idle_only: bool) -> list[TaskRow]:
    wanted = {"owner": previous_owner, "idle_only": idle_only}
    keys = [key for (key,) in connection.execute(SQL["keys_owned"], wanted)]
    if not keys or previous_owner == new_owner:
        return []
    tasks = _owned(connection, previous_owner, idle_only)
    connection.execute(SQL["claim"], {**wanted, "new": new_owner})
    announce(connection, keys, counter(connection, "last_change"))
    return [task._replace(owner=new_owner) for task in tasks]


def _owned(connection: sqlite3.Connection, owner: str, idle_only: bool = False) -> list[TaskRow]:
    found = connection.execute(SQL["owned_tasks"], {"owner": owner, "idle_only": idle_only})
    return [task_from_tuple(values) for values in found]


def _commands(connection: sqlite3.Connection, owner: str) -> list[Command]:
    return [Command(*values) for values in connection.execute(SQL["commands_of_owner"], (owner,))]


def _take_commands(connection: sqlite3.Connection, owner: str) -> list[Command]:
    commands = _commands(connection, owner)
    connection.executemany(SQL["delete_command"], ((command.id,) for command in commands))
    return commands


def _usage(connection: sqlite3.Connection) -> StoreUsage:
    (oldest,) = connection.execute(SQL["oldest_task"]).fetchone()
    return StoreUsage(count_tasks(connection), counter(connection, "logs"), used_bytes(connection), oldest)


def _look_around(connection: sqlite3.Connection) -> _Litter:
    (oldest_command,) = connection.execute(SQL["oldest_command"]).fetchone()
    return _Litter(counter(connection, "last_change"), counter(connection, "trimmed_to"), oldest_command)


def _tidy(connection: sqlite3.Connection, changes_until: int, commands_before: int) -> None:
    connection.execute(SQL["trim_commands"], (commands_before,))
    connection.execute(SQL["trim_changes"], (changes_until,))
    connection.execute(SQL["set_counter"], (max(0, changes_until), "trimmed_to"))
