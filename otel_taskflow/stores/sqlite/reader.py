"""The reading half. ``SqlReader`` knows the questions, a subclass knows how to ask: through aiosqlite, or in memory."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from otel_taskflow.errors import ConfigurationError
from otel_taskflow.model import LogRow, TaskFilter, TaskStatus
from otel_taskflow.ports import Change, RollupDelta, TaskDetail, TaskPage
from otel_taskflow.stores.cursor import decode_cursor, encode_cursor
from otel_taskflow.stores.sqlite.rows import (
    LEVELS,
    TASK_WIDTH,
    attempt_from_tuple,
    logs_from_tuples,
    rollup_from_tuple,
    task_from_tuple,
    to_json,
)
from otel_taskflow.stores.sqlite.statements import SQL
from otel_taskflow.values.text import well_formed

Parameters = Sequence[Any] | Mapping[str, Any]


class SqlReader(ABC):
    """StoreReader. Every method is one statement, so each answer is of one moment and no read transaction stays open."""

    @abstractmethod
    async def fetch(self, statement: str, parameters: Parameters = ()) -> Sequence[Sequence[Any]]:
        """All rows of a statement."""

    @abstractmethod
    async def aclose(self) -> None:
        """See StoreReader."""

    async def list_tasks(self, where: TaskFilter, limit: int, cursor: str | None = None) -> TaskPage:
        """See StoreReader."""
        after = decode_cursor(cursor) if cursor is not None else None
        found = await self.fetch(_list_statement(where, after), _list_parameters(where, limit + 1, after))
        tasks = [task_from_tuple(values) for values in found[:limit]]
        return TaskPage(tasks, encode_cursor(tasks[-1]) if tasks and len(found) > limit else None)

    async def get_task(self, task_id: str) -> TaskDetail | None:
        """See StoreReader."""
        found = await self.fetch(SQL["get_detail"], (task_id,))
        if not found:
            return None
        attempts = [values[TASK_WIDTH:] for values in found if values[TASK_WIDTH] is not None]
        return TaskDetail(task_from_tuple(found[0]), [attempt_from_tuple(task_id, values) for values in attempts])

    async def get_logs(
        self,
        task_id: str,
        *,
        after: tuple[int, int] | None = None,
        limit: int = 1000,
        min_level: str | None = None,
        attempt: int | None = None,
    ) -> Sequence[LogRow]:
        """See StoreReader."""
        after_attempt, after_seq = after if after is not None else (-1, -1)
        parameters = {
            "task_id": task_id,
            "after_attempt": after_attempt,
            "after_seq": after_seq,
            "limit": limit,
            "level": _level_number(min_level) if min_level is not None else 0,
            "attempt": attempt,
        }
        statement = SQL["get_logs"] if attempt is None else SQL["get_logs_of_attempt"]
        return logs_from_tuples(task_id, await self.fetch(statement, parameters))

    async def get_new_logs(self, task_id: str, after_change: int, limit: int = 1000) -> Sequence[LogRow]:
        """See StoreReader."""
        parameters = {"task_id": task_id, "after": after_change, "limit": limit}
        return logs_from_tuples(task_id, await self.fetch(SQL["get_new_logs"], parameters))

    async def search_logs(
        self, text: str = "", attributes: Mapping[str, str | int | float] | None = None, limit: int = 100
    ) -> Sequence[LogRow]:
        """Lines of all tasks, newest first, with all words of ``text`` and these extras (42 also finds "42").

        Goes beyond StoreReader. Needs at least a word or an extra, else there are no lines. What is neither letter nor digit
        only separates words.
        """
        wanted = [("message", word) for word in text.split()]
        wanted += [("extra", to_json({key: value}) or "") for key, value in (attributes or {}).items()]
        phrases = [f"{column} : {_quoted(words)}" for column, words in wanted if any(map(str.isalnum, words))]
        if not phrases:
            return []
        parameters = {"words": " AND ".join(phrases), "attributes": json.dumps(dict(attributes or {})), "limit": limit}
        found = await self.fetch(SQL["search_logs"], parameters)
        return [row for values in found for row in logs_from_tuples(values[0], [values[1:]])]

    async def count_by_status(self) -> Mapping[TaskStatus, int]:
        """See StoreReader."""
        counters = await self._counters()
        return {status: counters.get(status.value, 0) for status in TaskStatus}

    async def average_duration(self) -> float:
        """See StoreReader."""
        counters = await self._counters()
        return counters["microseconds"] / 1e6 / counters["timed"] if counters["timed"] else 0.0

    async def rollups(self, since_minute: int, name: str | None = None) -> Sequence[RollupDelta]:
        """See StoreReader."""
        found = await self.fetch(SQL["rollups"], {"since": since_minute, "name": name})
        return [rollup_from_tuple(values) for values in found]

    async def changes(self, after: int, limit: int = 1000) -> Sequence[Change]:
        """See StoreReader."""
        return [Change(*values) for values in await self.fetch(SQL["changes"], (after, limit))]

    async def last_change(self) -> int:
        """See StoreReader."""
        return (await self._counters())["last_change"]

    async def first_change(self) -> int:
        """See StoreReader."""
        return (await self._counters())["trimmed_to"] + 1

    async def get_offset(self, journal_id: str) -> int:
        """See StoreReader."""
        found = await self.fetch(SQL["get_offset"], (journal_id,))
        return int(found[0][0]) if found else 0

    async def _counters(self) -> dict[str, int]:
        return {str(name): int(value) for name, value in await self.fetch(SQL["counters"])}


def _level_number(level: str) -> int:
    if level not in LEVELS:
        raise ConfigurationError(f"min_level={level!r} is no level; use one of {', '.join(LEVELS)}")
    return LEVELS[level]


def _quoted(words: str) -> str:
    """A phrase of the text index: its words, one behind the other. Everything that is no word only separates.

    A NUL would end the whole question.
    """
    return '"' + well_formed(words).replace("\0", " ").replace('"', '""') + '"'


def _list_statement(where: TaskFilter, after: tuple[int, str] | None) -> str:
    """The statement with the conditions that are asked for; the values are always parameters."""
    conditions = {
        "where_status": where.status is not None,
        "where_name": where.name is not None,
        "where_created_after": where.created_after is not None,
        "where_created_before": where.created_before is not None,
        "where_trace": where.trace_id is not None,
        "where_cursor": after is not None,
        "newest_first": True,
    }
    is_tagged = where.tag is not None
    start = SQL["list_tagged_tasks" if is_tagged else "list_tasks"]
    parts = [start, *(SQL[name] for name, is_wanted in conditions.items() if is_wanted)]
    return " ".join(parts).replace("{list}", "tagged" if is_tagged else "tasks")


def _list_parameters(where: TaskFilter, limit: int, after: tuple[int, str] | None) -> Mapping[str, Any]:
    tag, tag_value = where.tag if where.tag is not None else (None, None)
    cursor_time, cursor_id = after if after is not None else (None, None)
    return {
        "status": where.status.value if where.status is not None else None,
        "name": where.name,
        "created_after": where.created_after,
        "created_before": where.created_before,
        "trace_id": where.trace_id,
        "tag": tag,
        "tag_value": tag_value,
        "cursor_time": cursor_time,
        "cursor_id": cursor_id,
        "limit": limit,
    }
