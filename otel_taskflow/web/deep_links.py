"""Fills the templates of ``TaskAdmin(links=...)`` with what is known of a task. Pure; ``now`` is Unix nanoseconds."""

from __future__ import annotations

from dataclasses import dataclass

from otel_taskflow.links import Link, Place
from otel_taskflow.model import AttemptRow, LogRow, SpanIdentity, TaskRow

MARGIN = 60_000
"""Milliseconds before and after what a link is about, so that a search by time finds it and what is beside it."""
_MILLISECOND = 1_000_000

Ready = dict[str, str]
"""URLs by the name of the link."""
_Values = dict[str, object]


@dataclass(frozen=True, slots=True)
class DeepLinks:
    """The checked templates. A link is left out where one of its placeholders has no value."""

    links: tuple[Link, ...] = ()

    def of_task(self, task: TaskRow, now: int) -> Ready:
        """Links of the task itself, and of the span of ``add_task``."""
        return self._fill({Place.TASK, Place.SPAN}, _of_task(task, now) | _of_span(task.span))

    def of_request(self, task: TaskRow, now: int) -> Ready:
        """Links of the span in which ``add_task`` was called; none if there was none."""
        return self._fill({Place.SPAN}, _of_task(task, now) | _of_span(_parent(task.span)))

    def of_attempt(self, task: TaskRow, attempt: AttemptRow, now: int) -> Ready:
        """Links of an attempt and of its span."""
        values = _base(task, attempt.started_at, attempt.ended_at or now) | _of_span(attempt.span)
        return self._fill({Place.ATTEMPT, Place.SPAN}, values | {"attempt_number": attempt.attempt + 1})

    def of_line(self, task: TaskRow, span: SpanIdentity | None, line: LogRow) -> Ready:
        """Links of a log line and of its attempt's span."""
        own = {
            "attempt_number": line.attempt + 1,
            "line": line.seq,
            "line_uid": f"{line.task_id}-{line.attempt}-{line.seq}",
        }
        return self._fill({Place.LINE, Place.SPAN}, _base(task, line.time, line.time) | _of_span(span) | own)

    def templates(self) -> list[dict[str, str]]:
        """For the page, which fills them by itself."""
        return [{"name": link.name, "template": link.template, "place": link.place.value} for link in self.links]

    def _fill(self, places: set[Place], values: _Values) -> Ready:
        return {
            link.name: link.fill(values) for link in self.links if link.place in places and link.needs <= values.keys()
        }


def _of_task(task: TaskRow, now: int) -> _Values:
    return _base(task, task.created_at, task.ended_at or now)


def _base(task: TaskRow, begin: int, end: int) -> _Values:
    start, stop = begin // _MILLISECOND, end // _MILLISECOND
    return {
        "task_id": task.task_id,
        "task_name": task.name,
        "time": start,
        "from": start - MARGIN,
        "to": max(start, stop) + MARGIN,
    }


def _of_span(span: SpanIdentity | None) -> _Values:
    if span is None or not span.trace_id:
        return {}
    return {"trace_id": span.trace_id, "span_id": span.span_id, "span_id_decimal": int(span.span_id, 16)}


def _parent(span: SpanIdentity | None) -> SpanIdentity | None:
    return None if span is None or not span.parent_span_id else span._replace(span_id=span.parent_span_id)
