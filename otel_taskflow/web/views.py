"""Rows as the JSON that people and programs see. Pure: Unix nanoseconds become ISO 8601, durations seconds."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from otel_taskflow.model import AttemptRow, ErrorInfo, LogRow, TaskRow, TaskStatus
from otel_taskflow.ports import TaskDetail
from otel_taskflow.record import maybe_iso, row_to_dict
from otel_taskflow.values.lines import iso_millis, record_line
from otel_taskflow.web.deep_links import DeepLinks

MAX_FIELD = 256 * 1024
"""Characters of one field in an answer; what is longer is cut and says so."""

Redact = Callable[[Any], Any]
"""Masks secrets in a JSON value."""

NANOSECONDS = 1_000_000_000


def task_json(row: TaskRow, redact: Redact | None = None) -> dict[str, Any]:
    """A task as lists show it. With ``redact``, its arguments too."""
    shown = row if row.error is None else row._replace(error=_clipped(row.error))
    return {
        **row_to_dict(shown),
        "attempts": row.attempts,
        "attempt_count": row.attempts,
        **({} if redact is None else _arguments(row.args, redact)),
    }


def brief_json(row: TaskRow, redact: Redact | None = None) -> dict[str, Any]:
    """A task as the page's list and the live stream carry it: stack traces are read where they are looked at."""
    return {**task_json(row, redact), "stacktrace": None}


def detail_json(
    row: TaskRow, attempts: Sequence[AttemptRow], logs: Sequence[str], redact: Redact | None = None
) -> dict[str, Any]:
    """A task with its attempts and its log as lines."""
    return {**task_json(row, redact), "logs": list(logs), "attempts": [attempt_json(each) for each in attempts]}


def attempt_json(row: AttemptRow) -> dict[str, Any]:
    """One attempt with its own times, error and trace."""
    error = _clipped(row.error)
    return {
        "attempt": row.attempt,
        "attempt_number": row.attempt + 1,
        "status": row.outcome.value if row.outcome else "running",
        "start_time": maybe_iso(row.started_at),
        "end_time": maybe_iso(row.ended_at),
        "duration": None if row.duration is None else row.duration / NANOSECONDS,
        "queue_wait": row.queue_wait / NANOSECONDS,
        "error_type": error.type if error else None,
        "error": error.message if error else None,
        "stacktrace": error.stacktrace if error else None,
        "trace_id": row.span.trace_id or None,
        "span_id": row.span.span_id or None,
        "worker": row.worker,
        "log_count": row.log_count,
        "late_end": row.late_end,
    }


def log_json(row: LogRow) -> dict[str, Any]:
    """One log line."""
    return {
        "seq": row.seq,
        "time": iso_millis(row.time),
        "level": row.level,
        "message": clip(row.message),
        "extra": {key: clip(value) if isinstance(value, str) else value for key, value in row.extra.items()},
        "attempt": row.attempt,
        "attempt_number": row.attempt + 1,
        "logger": row.logger,
        "late": row.late,
    }


def log_line(row: LogRow) -> str:
    """One log line as the reference's records hold it."""
    return record_line(row.time, clip(row.message))


def with_links(answer: dict[str, Any], detail: TaskDetail, links: DeepLinks, now: int) -> dict[str, Any]:
    """A task with its attempts, and where their telemetry is."""
    attempts = [
        {**shown, "links": links.of_attempt(detail.task, row, now)}
        for shown, row in zip(answer["attempts"], detail.attempts, strict=True)
    ]
    own = {"links": links.of_task(detail.task, now), "request_links": links.of_request(detail.task, now)}
    return {**answer, **own, "attempts": attempts}


def lines_with_links(
    entries: Sequence[dict[str, Any]], detail: TaskDetail, rows: Sequence[LogRow], links: DeepLinks
) -> list[dict[str, Any]]:
    """Log lines, and where the record of each is."""
    spans = {each.attempt: each.span for each in detail.attempts}
    return [
        {**entry, "links": links.of_line(detail.task, spans.get(row.attempt), row)}
        for entry, row in zip(entries, rows, strict=True)
    ]


def separator(attempt: int) -> str:
    """The line before the lines of a retry."""
    return f"--- Retry {attempt} ---"


def metrics_json(
    counts: Mapping[TaskStatus, int], average_seconds: float, dropped: Mapping[str, int]
) -> dict[str, Any]:
    """Counts by state; ``success_rate`` is a share of all tasks, 0 to 1; ``dropped`` counts lost events by reason."""
    by_status = {status: int(counts.get(status, 0)) for status in TaskStatus}
    total = sum(by_status.values())
    return {
        "total": total,
        **{status.value: count for status, count in by_status.items()},
        "success_rate": by_status[TaskStatus.SUCCESS] / total if total else 0.0,
        "avg_duration_seconds": round(average_seconds, 6),
        "dropped": dict(dropped),
    }


def clip(text: str) -> str:
    """The text, cut at ``MAX_FIELD`` with a word about it."""
    if len(text) <= MAX_FIELD:
        return text
    return f"{text[:MAX_FIELD]}… (cut; {len(text)} characters)"


def _clipped(error: ErrorInfo | None) -> ErrorInfo | None:
    if error is None:
        return None
    return error._replace(message=clip(error.message), stacktrace=clip(error.stacktrace))


def _arguments(args: str | None, redact: Redact) -> dict[str, Any]:
    if args is None:
        return {"args": None, "kwargs": None}
    if len(args) > MAX_FIELD:
        return {"args": [f"too long to be shown ({len(args)} characters)"], "kwargs": {}}
    call = json.loads(args)
    return {"args": redact(call.get("args", [])), "kwargs": redact(call.get("kwargs", {}))}
