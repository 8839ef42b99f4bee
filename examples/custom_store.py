"""A store of one's own: plain dicts behind a lock. Small enough to read, whole enough to pass the contract suite.

    TaskManager(store=DictStore())

It lives in one process and forgets everything at its end; put your database where the dicts are.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from itertools import zip_longest

from otel_taskflow.errors import ConfigurationError, StoreError
from otel_taskflow.model import FINAL_STATUSES, AttemptRow, LogRow, TaskFilter, TaskRow, TaskStatus
from otel_taskflow.ports import Change, Command, RollupDelta, StoreUsage, StoreWrite, TaskDetail, TaskPage

FEED_LENGTH = 10_000
MINUTE = 60_000_000_000
LEVELS = ("debug", "info", "warning", "error")


class Tables:
    """What is stored. Whoever reads or writes holds the lock."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.is_open = False
        self.tasks: dict[str, TaskRow] = {}
        self.attempts: dict[str, dict[int, AttemptRow]] = {}
        self.logs: dict[str, dict[tuple[int, int], tuple[int, LogRow]]] = {}  # with the number of their change
        self.rollups: dict[tuple[int, str], RollupDelta] = {}
        self.feed: list[Change] = []
        self.last_change = 0
        self.trimmed_to = 0
        self.offsets: dict[str, int] = {}
        self.commands: list[Command] = []
        self.last_command = 0

    def __enter__(self) -> Tables:
        self.lock.acquire()
        if not self.is_open:
            self.lock.release()
            raise StoreError("store DictStore is not open; call open() first")
        return self

    def __exit__(self, *_: object) -> None:
        self.lock.release()

    def announce(self, task_ids: Iterable[str]) -> int:
        for task_id in task_ids:
            self.last_change += 1
            self.feed.append(Change(self.last_change, task_id))
        return self.last_change

    def unfinished(self, owner: str) -> list[TaskRow]:
        return [row for row in self.tasks.values() if row.owner == owner and row.status not in FINAL_STATUSES]

    def traces_of(self, task_id: str) -> set[str]:
        span, attempts = self.tasks[task_id].span, self.attempts.get(task_id, {}).values()
        return {each.span.trace_id for each in attempts} | ({span.trace_id} if span else set())

    def bytes_of(self, task_id: str) -> int:
        lines = sum(len(row.message) + 200 for _, row in self.logs.get(task_id, {}).values())
        return 500 + lines

    def delete(self, task_id: str) -> None:
        self.tasks.pop(task_id, None)
        self.attempts.pop(task_id, None)
        self.logs.pop(task_id, None)
        self.feed = [change for change in self.feed if change.task_id != task_id]
        self.commands = [command for command in self.commands if command.task_id != task_id]


class DictWriter:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def open(self) -> None:
        self._tables.is_open = True

    def close(self) -> None:
        self._tables.is_open = False

    # Slices

    def write(self, write: StoreWrite) -> int:
        with self._tables as tables:
            if write.offset <= tables.offsets.get(write.journal_id, 0):
                return tables.last_change
            change = tables.announce(task_ids_of(write))
            for task in write.tasks:
                self._put_task(task)
            for attempt in write.attempts:
                tables.attempts.setdefault(attempt.task_id, {})[attempt.attempt] = attempt
            for line in write.logs:
                tables.logs.setdefault(line.task_id, {}).setdefault((line.attempt, line.seq), (change, line))
            for delta in write.rollups:
                key = (delta.minute, delta.name)
                tables.rollups[key] = add_up(tables.rollups.get(key), delta)
            tables.offsets[write.journal_id] = write.offset
            return change

    def _put_task(self, row: TaskRow) -> None:
        stored = self._tables.tasks.get(row.task_id)
        if stored is None or stored.owner is None or stored.owner == row.owner:
            self._tables.tasks[row.task_id] = row

    def offset(self, journal_id: str) -> int:
        with self._tables as tables:
            return tables.offsets.get(journal_id, 0)

    def forget_journal(self, journal_id: str) -> None:
        with self._tables as tables:
            tables.offsets.pop(journal_id, None)

    # Questions

    def load_tasks(self, task_ids: Sequence[str]) -> Mapping[str, TaskRow]:
        with self._tables as tables:
            return {task_id: tables.tasks[task_id] for task_id in task_ids if task_id in tables.tasks}

    def load_attempt(self, task_id: str, attempt: int) -> AttemptRow | None:
        with self._tables as tables:
            return tables.attempts.get(task_id, {}).get(attempt)

    def find_idempotent(self, name: str, key: str) -> str | None:
        alive = (TaskStatus.PENDING, TaskStatus.RUNNING, TaskStatus.SUCCESS)
        with self._tables as tables:
            rows = [row for row in tables.tasks.values() if (row.name, row.idempotency_key) == (name, key)]
        found = [(row.created_at, row.task_id) for row in rows if row.status in alive]
        return max(found)[1] if found else None

    # Owners

    def claim(self, previous_owner: str, new_owner: str, *, idle_only: bool = False) -> Sequence[TaskRow]:
        with self._tables as tables:
            if previous_owner == new_owner:
                return []
            rows = [
                row._replace(owner=new_owner)
                for row in tables.unfinished(previous_owner)
                if not idle_only or row.status is TaskStatus.PENDING or row.waiting_until is not None
            ]
            tables.tasks.update((row.task_id, row) for row in rows)
            tables.announce([row.task_id for row in rows])
            return rows

    def owned(self, owner: str) -> Sequence[TaskRow]:
        with self._tables as tables:
            return tables.unfinished(owner)

    def owners(self) -> Sequence[str]:
        with self._tables as tables:
            return list({row.owner for row in tables.tasks.values() if row.owner and row.status not in FINAL_STATUSES})

    # Commands

    def add_command(self, task_id: str, verb: str, actor: str, time: int) -> int:
        with self._tables as tables:
            tables.last_command += 1
            tables.commands.append(Command(tables.last_command, task_id, verb, time, actor))
            return tables.last_command

    def take_commands(self, owner: str) -> Sequence[Command]:
        with self._tables as tables:
            own = [each for each in tables.commands if self._owner_of(each.task_id) == owner]
            tables.commands = [each for each in tables.commands if each not in own]
            return own

    def _owner_of(self, task_id: str) -> str | None:
        row = self._tables.tasks.get(task_id)
        return row.owner if row else None

    # Housekeeping

    def prune(self, before: int, max_bytes: int, limit: int = 500) -> int:
        with self._tables as tables:
            finished = [row for row in tables.tasks.values() if row.status in FINAL_STATUSES]
            finished.sort(key=lambda row: row.ended_at or 0)
            excess = self.usage().bytes - max_bytes
            deleted = 0
            for row in finished[:limit]:
                if (row.ended_at or 0) >= before and excess <= 0:
                    break
                excess -= tables.bytes_of(row.task_id)
                tables.delete(row.task_id)
                deleted += 1
            tables.rollups = {key: delta for key, delta in tables.rollups.items() if delta.minute >= before // MINUTE}
            return deleted

    def usage(self) -> StoreUsage:
        with self._tables as tables:
            logs = sum(len(lines) for lines in tables.logs.values())
            size = sum(tables.bytes_of(task_id) for task_id in {*tables.tasks, *tables.logs})
            oldest = min((row.created_at for row in tables.tasks.values()), default=None)
            return StoreUsage(len(tables.tasks), logs, size, oldest)

    def maintain(self) -> None:
        with self._tables as tables:
            if len(tables.feed) > FEED_LENGTH:
                tables.trimmed_to = tables.feed[-FEED_LENGTH - 1].seq
                del tables.feed[:-FEED_LENGTH]


class DictReader:
    """Everything is in memory, so nothing is awaited."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    # Tasks

    async def list_tasks(self, where: TaskFilter, limit: int, cursor: str | None = None) -> TaskPage:
        after = read_cursor(cursor) if cursor is not None else None
        with self._tables as tables:
            rows = [row for row in tables.tasks.values() if fits(row, where, tables.traces_of(row.task_id))]
        rows.sort(key=place, reverse=True)
        rows = [row for row in rows if after is None or place(row) < after][: limit + 1]
        if len(rows) <= limit:
            return TaskPage(rows, None)
        last = rows[limit - 1]
        return TaskPage(rows[:limit], f"{last.created_at}:{last.task_id}")

    async def get_task(self, task_id: str) -> TaskDetail | None:
        with self._tables as tables:
            row = tables.tasks.get(task_id)
            attempts = sorted(tables.attempts.get(task_id, {}).values(), key=lambda attempt: attempt.attempt)
            return TaskDetail(row, attempts) if row else None

    # Lines

    async def get_logs(
        self,
        task_id: str,
        *,
        after: tuple[int, int] | None = None,
        limit: int = 1000,
        min_level: str | None = None,
        attempt: int | None = None,
    ) -> Sequence[LogRow]:
        wanted = LEVELS[LEVELS.index(min_level) :] if min_level else LEVELS
        with self._tables as tables:
            rows = [row for _, row in tables.logs.get(task_id, {}).values()]
        rows = [row for row in rows if row.level in wanted and attempt in (None, row.attempt)]
        rows = [row for row in rows if after is None or (row.attempt, row.seq) > after]
        return sorted(rows, key=lambda row: (row.attempt, row.seq))[:limit]

    async def get_new_logs(self, task_id: str, after_change: int, limit: int = 1000) -> Sequence[LogRow]:
        with self._tables as tables:
            return [row for change, row in tables.logs.get(task_id, {}).values() if change > after_change][:limit]

    # Figures

    async def count_by_status(self) -> Mapping[TaskStatus, int]:
        with self._tables as tables:
            return Counter(row.status for row in tables.tasks.values())

    async def average_duration(self) -> float:
        with self._tables as tables:
            times = [(row.started_at, row.ended_at) for row in tables.tasks.values()]
        durations = [end - start for start, end in times if start is not None and end is not None]
        return sum(durations) / len(durations) / 1e9 if durations else 0.0

    async def rollups(self, since_minute: int, name: str | None = None) -> Sequence[RollupDelta]:
        with self._tables as tables:
            deltas = [delta for _, delta in sorted(tables.rollups.items())]
        return [delta for delta in deltas if delta.minute >= since_minute and name in (None, delta.name)]

    # The feed

    async def changes(self, after: int, limit: int = 1000) -> Sequence[Change]:
        with self._tables as tables:
            return [change for change in tables.feed if change.seq > after][:limit]

    async def last_change(self) -> int:
        with self._tables as tables:
            return tables.last_change

    async def first_change(self) -> int:
        with self._tables as tables:
            return tables.trimmed_to + 1

    async def get_offset(self, journal_id: str) -> int:
        with self._tables as tables:
            return tables.offsets.get(journal_id, 0)

    async def aclose(self) -> None:
        """There is nothing to close."""


class DictStore:
    is_persistent = False
    location = "memory (DictStore)"

    def __init__(self) -> None:
        self._tables = Tables()
        self._writer = DictWriter(self._tables)

    @property
    def writer(self) -> DictWriter:
        return self._writer

    def reader(self) -> DictReader:
        return DictReader(self._tables)


def task_ids_of(write: StoreWrite) -> set[str]:
    kinds = (write.tasks, write.attempts, write.logs)
    return {row.task_id for rows in kinds for row in rows}


def place(row: TaskRow) -> tuple[int, str]:
    return row.created_at, row.task_id


def read_cursor(cursor: str) -> tuple[int, str]:
    created_at, colon, task_id = cursor.partition(":")
    if not colon or not created_at.isdecimal():
        raise ConfigurationError(
            f"cursor {cursor[:100]!r} is not one that list_tasks() returned; start without a cursor"
        )
    return int(created_at), task_id


def fits(row: TaskRow, where: TaskFilter, traces: Container[str]) -> bool:
    return (
        where.status in (None, row.status)
        and where.name in (None, row.name)
        and (where.tag is None or row.tags.get(where.tag[0]) == where.tag[1])
        and (where.created_after is None or row.created_at >= where.created_after)
        and (where.created_before is None or row.created_at < where.created_before)
        and (where.trace_id is None or where.trace_id in traces)
    )


def add_up(stored: RollupDelta | None, delta: RollupDelta) -> RollupDelta:
    if stored is None:
        return delta
    pairs = zip_longest(stored.duration_buckets, delta.duration_buckets, fillvalue=0)
    return RollupDelta(
        delta.name,
        delta.minute,
        stored.enqueued + delta.enqueued,
        stored.succeeded + delta.succeeded,
        stored.failed + delta.failed,
        stored.retried + delta.retried,
        stored.cancelled + delta.cancelled,
        stored.interrupted + delta.interrupted,
        stored.duration_sum + delta.duration_sum,
        tuple(first + second for first, second in pairs),
    )
