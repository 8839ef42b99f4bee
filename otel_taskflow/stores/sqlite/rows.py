"""Rows as tuples in the order of the columns in ``queries/``, and back. JSON columns are always valid JSON or NULL."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from otel_taskflow.model import AttemptOutcome, AttemptRow, ErrorInfo, LogRow, SpanIdentity, TaskRow, TaskStatus
from otel_taskflow.ports import RollupDelta

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_LEVEL_NAMES = {number: name for name, number in LEVELS.items()}

TASK_WIDTH = 32
_STATUSES = {status.value: status for status in TaskStatus}
_OUTCOMES: dict[str | None, AttemptOutcome | None] = {None: None, **{each.value: each for each in AttemptOutcome}}
_as_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_NO_ERROR = (None, None, None)
_NO_SPAN = (None, None, None, None, None)

Tuple = tuple[Any, ...]


def task_to_tuple(row: TaskRow) -> Tuple:
    """A task in the order of ``put_task``."""
    return (
        row.task_id,
        row.name,
        row.status.value,
        row.created_at,
        row.args,
        to_json(row.tags),
        row.idempotency_key,
        row.source,
        row.held,
        row.released_at,
        row.started_at,
        row.ended_at,
        row.waiting_until,
        row.attempts,
        row.max_attempts,
        *(row.error or _NO_ERROR),
        row.reason,
        row.owner,
        *(row.span or _NO_SPAN),
        to_json(row.carrier),
        row.executor,
        row.retry_of,
        row.retried_as,
        row.log_count,
        row.requeue_on_interrupt,
        row.expires_at,
    )


def task_from_tuple(values: Sequence[Any]) -> TaskRow:
    """A task of ``task_columns``."""
    fields = [*values[:15], _error(values[15:18]), *values[18:20], _span(values[20:25]), *values[25:TASK_WIDTH]]
    for index, read in _TASK_FIELDS:
        fields[index] = read(fields[index])
    return TaskRow(*fields)


def attempt_to_tuple(row: AttemptRow) -> Tuple:
    """An attempt in the order of ``put_attempt``, after its task's key."""
    return (
        row.attempt,
        row.started_at,
        *row.span,
        row.worker,
        row.ended_at,
        row.duration,
        row.queue_wait,
        row.outcome.value if row.outcome else None,
        *(row.error or _NO_ERROR),
        row.log_count,
        row.late_end,
    )


def attempt_from_tuple(task_id: str, values: Sequence[Any]) -> AttemptRow:
    """An attempt of ``attempt_columns``."""
    outcome = _OUTCOMES[values[11]]
    fields = [
        *values[:2],
        _span(values[2:7]),
        *values[7:11],
        outcome,
        _error(values[12:15]),
        values[15],
        bool(values[16]),
    ]
    return AttemptRow(task_id, *fields)


def log_to_tuple(row: LogRow) -> Tuple:
    """A line in the order of ``add_log``, after its task's key and change number."""
    extra = to_json(row.extra) if row.extra else None
    level = LEVELS.get(row.level, LEVELS["info"])
    return (row.attempt, row.seq, row.time, level, row.message, extra, row.logger, row.late)


def logs_from_tuples(task_id: str, found: Sequence[Sequence[Any]]) -> list[LogRow]:
    """Lines of ``log_columns``. Their extras are read at once: a parser's start costs more than most of them."""
    extras = json.loads(f"[{','.join([values[5] or '{}' for values in found])}]")
    return [
        LogRow(task_id, attempt, seq, time, _LEVEL_NAMES[level], message, extra, logger, bool(late))
        for (attempt, seq, time, level, message, _, logger, late), extra in zip(found, extras, strict=True)
    ]


def rollup_to_tuple(delta: RollupDelta, buckets: Sequence[int]) -> Tuple:
    """Figures in the order of ``put_rollup``, with the sums of the buckets."""
    return (*delta[:-1], json.dumps(buckets))


def rollup_from_tuple(values: Sequence[Any]) -> RollupDelta:
    """Figures of ``rollups``."""
    fields = [*values[:-1], tuple(json.loads(values[-1]))]
    return RollupDelta(*fields)


def to_json(value: Mapping[str, Any]) -> str | None:
    """JSON, or None if empty. NaN and infinities, which JSON does not know, become null."""
    if not value:
        return None
    try:
        return _as_json(dict(value))
    except ValueError:
        return _as_json(_finite(value))


def from_json(text: str | None) -> dict[str, Any]:
    """What ``to_json`` was given."""
    return {} if text is None else json.loads(text)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return value


def _error(values: Sequence[Any]) -> ErrorInfo | None:
    return None if values[0] is None else ErrorInfo(*values)


def _span(values: Sequence[Any]) -> SpanIdentity | None:
    return None if values[0] is None else SpanIdentity(*values)


def _place(name: str) -> int:
    return TaskRow._fields.index(name)


_TASK_FIELDS: Sequence[tuple[int, Callable[[Any], Any]]] = (
    (_place("status"), _STATUSES.__getitem__),
    (_place("tags"), from_json),
    (_place("held"), bool),
    (_place("carrier"), from_json),
    (_place("requeue_on_interrupt"), bool),
)
