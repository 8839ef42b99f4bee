"""An attempt while its events are read from the journal, and the span that they make of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json

from otel_taskflow.events import AttemptEnded, AttemptStarted, TaskLogged
from otel_taskflow.model import AttemptOutcome, SpanIdentity, TaskRow, TaskStatus
from otel_taskflow.telemetry import semconv
from otel_taskflow.telemetry.additions import unpacked_attributes
from otel_taskflow.telemetry.carrier import holds
from otel_taskflow.telemetry.describe import (
    attempt_attributes,
    end_attributes,
    enqueue_attributes,
    error_description,
    error_type,
    exception_attributes,
    log_event_attributes,
)
from otel_taskflow.telemetry.ends import first_and_last
from otel_taskflow.telemetry.guard import clean
from otel_taskflow.telemetry.otlp.values import SpanData, SpanEvent, SpanLink

KEPT_FIRST = 64
KEPT_LAST = 64
EVERY = ""
"""The group of those that want all lines."""

Line = tuple[int, str, str, Mapping[str, Any]]
"""Time, level, message, extras."""
Wanted = Callable[[str], bool]
"""Whether lines of a level become events of the span."""


def attempt_key(task_id: str, attempt: int) -> str:
    """The name of an attempt among all."""
    return f"{task_id}/{attempt}"


def facts_of(task: TaskRow) -> TaskRow:
    """What telemetry says of a task, and nothing else of it: no arguments, no state."""
    return TaskRow(
        task.task_id,
        task.name,
        TaskStatus.RUNNING,
        task.created_at,
        tags=task.tags,
        max_attempts=task.max_attempts,
        owner=task.owner,
        span=task.span,
        carrier=task.carrier,
    )


class _Ends(NamedTuple):
    """The first and the last of many lines."""

    first: list[Line]
    last: deque[Line]

    def add(self, line: Line) -> None:
        if len(self.first) < KEPT_FIRST:
            self.first.append(line)
        else:
            self.last.append(line)

    def all(self) -> Sequence[Line]:
        return (*self.first, *self.last)


def _no_ends() -> _Ends:
    return _Ends([], deque(maxlen=KEPT_LAST))


class OpenAttempt:
    """What is known of an attempt before its end: its start, its task, the first and last of its lines.

    Lines are kept for each group of destinations that want the same ones as events.
    """

    __slots__ = ("_kept", "count", "is_inherited", "last_time", "resource", "started", "task")

    def __init__(
        self, started: AttemptStarted, task: TaskRow, resource: tuple[Any, str], groups: Iterable[str] = ()
    ) -> None:
        self.started = started
        self.task = task
        self.resource = resource
        """Attributes and schema URL of the process that ran it."""
        self.count = 0
        self.last_time = started.time
        self.is_inherited = False
        """Whether another process began to export it, which may have had other settings."""
        self._kept = {group: _no_ends() for group in groups}

    def add(self, line: TaskLogged, groups: Iterable[str] = (EVERY,)) -> None:
        """Keep a line if it is one of the first or the last of these groups."""
        self.count += 1
        self.last_time = max(self.last_time, line.time)
        kept = (line.time, line.level, line.message, line.extra)
        for group in groups:
            if group not in self._kept:
                self._kept[group] = _no_ends()
            self._kept[group].add(kept)

    def lines(self, group: str = EVERY) -> Sequence[Line]:
        """The kept lines of a group, in order. Of one that the process before did not know, what it kept for others."""
        if group in self._kept:
            return self._kept[group].all()
        return max((each.all() for each in self._kept.values()), key=len, default=())

    @property
    def is_sampled(self) -> bool:
        """Whether its span is exported (W3C Trace Context, sampled flag)."""
        return bool(self.started.span.trace_flags & 1)

    # To and from bytes

    def to_bytes(self) -> bytes:
        """The state, for another process to go on with."""
        task = facts_of(self.task)
        kept = {group: ends.all() for group, ends in self._kept.items()}
        return to_json(
            [self.started, task._asdict(), self.resource, self.count, self.last_time, kept],
            inf_nan_mode="constants",
        )

    @classmethod
    def from_bytes(cls, state: bytes) -> OpenAttempt:
        """The way back. Raises ValueError for what ``to_bytes`` did not write."""
        started, task, resource, count, last_time, kept = from_json(state)
        attempt = cls(_started(started), _task(task), (resource[0], resource[1]))
        attempt._go_on(count, last_time, dict(kept))
        return attempt

    def _go_on(self, count: int, last_time: int, kept: dict[str, Any]) -> None:
        self.count, self.last_time, self.is_inherited = count, last_time, True
        for group, found in kept.items():
            lines: list[Line] = [(line[0], line[1], line[2], line[3]) for line in found]
            self._kept[group] = _Ends(lines[:KEPT_FIRST], deque(lines[KEPT_FIRST:], maxlen=KEPT_LAST))


def span_of_enqueue(task: TaskRow, code_name: str) -> SpanData | None:
    """The PRODUCER span ``send {task}``; None if it was not sampled, or if nobody made one."""
    span = task.span
    if span is None or not span.trace_flags & 1 or not holds(task.carrier, span):
        return None
    return SpanData(
        name=f"{semconv.SEND} {clean(task.name)}",
        kind="producer",
        identity=span,
        start_time=task.created_at,
        end_time=task.created_at,
        attributes=enqueue_attributes(task.task_id, task.name, code_name, task.tags),
    )


def span_of_attempt(
    attempt: OpenAttempt, ended: AttemptEnded, is_wanted: Wanted, max_events: int | None, group: str = EVERY
) -> SpanData:
    """The CONSUMER span ``process {task}`` of an attempt that has ended, with lines that were kept for a group."""
    added = ended.span or {}
    events = _user_events(added, ended.time)
    lines = [line for line in attempt.lines(group) if is_wanted(line[1])]
    room = None if max_events is None else max(0, max_events - len(events) - (ended.error is not None))
    kept = first_and_last(lines, room)
    events += [SpanEvent(semconv.EVENT_TASK_LOG, line[0], log_event_attributes(*line[1:])) for line in kept]
    if ended.error is not None:
        events.append(SpanEvent(semconv.EVENT_EXCEPTION, ended.time, exception_attributes(ended.error)))
    status, description = _status(ended, added)
    dropped = added.get("dropped", (0, 0, 0))
    return SpanData(
        name=added.get("name") or f"{semconv.PROCESS} {clean(attempt.task.name)}",
        kind="consumer",
        identity=attempt.started.span,
        start_time=attempt.started.time,
        end_time=_end_time(attempt, ended),
        attributes=_attributes(attempt, ended, max(0, ended.log_count - len(kept))),
        events=events,
        links=[*_links(attempt), *_user_links(added)],
        status=status,
        status_description=description,
        is_parent_remote=attempt.task.owner is not None,
        dropped_attributes=dropped[0],
        dropped_events=dropped[1],
        dropped_links=dropped[2],
    )


def _attributes(attempt: OpenAttempt, ended: AttemptEnded, omitted: int) -> dict[str, Any]:
    """Ours first: a limit cuts off the last. User code may change what is known at the start, not how it ended."""
    of_end = end_attributes(ended, omitted)
    added = unpacked_attributes((ended.span or {}).get("attributes", {}))
    return {**attempt_attributes(attempt.task, attempt.started), **of_end, **added, **of_end}


def _end_time(attempt: OpenAttempt, ended: AttemptEnded) -> int:
    """The last that was heard of an attempt whose app died; when that was noticed says nothing of the attempt.

    An app that lives sees a worker process die, and says how in the error.
    """
    if ended.outcome is AttemptOutcome.INTERRUPTED and ended.reason == "process_died" and ended.error is None:
        return attempt.last_time
    return ended.time


def _status(ended: AttemptEnded, added: Mapping[str, Any]) -> tuple[Any, str]:
    """An SDK's span that is OK stays so; else a failure of ours counts, then what user code said (trace API, Set Status)."""
    by_user = added.get("status")
    if by_user and by_user[0] == "ok":
        return "ok", ""
    if error_type(ended) is not None:
        return "error", error_description(ended) or ""
    return (by_user[0], by_user[1]) if by_user else ("unset", "")


def _links(attempt: OpenAttempt) -> list[SpanLink]:
    task, previous = attempt.task, attempt.started.previous
    links = []
    if task.span is not None and holds(task.carrier, task.span):
        is_remote = task.owner is not None
        links.append(SpanLink(task.span, {semconv.LINK_TYPE: semconv.LINK_ENQUEUE}, is_remote))
    if previous is not None and previous.trace_id:
        links.append(SpanLink(previous, {semconv.LINK_TYPE: semconv.LINK_PREVIOUS_ATTEMPT}))
    return links


def _user_events(added: Mapping[str, Any], otherwise: int) -> list[SpanEvent]:
    return [
        SpanEvent(name, otherwise if time is None else time, unpacked_attributes(attributes))
        for name, time, attributes in added.get("events", ())
    ]


def _user_links(added: Mapping[str, Any]) -> list[SpanLink]:
    return [
        SpanLink(SpanIdentity(trace_id, span_id), unpacked_attributes(attributes), is_remote)
        for trace_id, span_id, is_remote, attributes in added.get("links", ())
    ]


def _started(fields: list[Any]) -> AttemptStarted:
    fields[3] = SpanIdentity(*fields[3])
    fields[6] = None if fields[6] is None else SpanIdentity(*fields[6])
    return AttemptStarted(*fields)


def _task(fields: dict[str, Any]) -> TaskRow:
    span = fields["span"]
    known = {name: fields[name] for name in TaskRow._fields if name in fields}
    return TaskRow(
        **{**known, "status": TaskStatus(fields["status"]), "span": None if span is None else SpanIdentity(*span)}
    )
