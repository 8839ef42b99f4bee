"""From what the journal says to what observers are told."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import singledispatchmethod

from otel_taskflow.consumers.lookup import Lookup
from otel_taskflow.events import (
    AttemptEnded,
    AttemptStarted,
    Event,
    LifecycleEvent,
    LogEvent,
    TaskEnqueued,
    TaskLogged,
    TaskSettled,
)
from otel_taskflow.model import FINAL_STATUSES, SpanIdentity, TaskStatus
from otel_taskflow.observers.base import ObserverEvent
from otel_taskflow.record import to_datetime

MAX_UNFINISHED = 100_000
MAX_FINISHED = 256


@dataclass(slots=True)
class KnownTask:
    """What the events of a task do not repeat."""

    name: str
    tags: Mapping[str, str] = field(default_factory=dict)
    attempt: int = -1
    """The last one that started; -1 before the first."""
    spans: dict[int, SpanIdentity | None] = field(default_factory=dict)
    """Of the attempts; None for one that nobody knows."""


class KnownTasks:
    """Names, tags and spans from the stream itself; of what began before, from the store. Bounded."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._unfinished: OrderedDict[str, KnownTask] = OrderedDict()
        self._finished: OrderedDict[str, KnownTask] = OrderedDict()

    def __len__(self) -> int:
        return len(self._unfinished) + len(self._finished)

    def add(self, task_id: str, task: KnownTask) -> None:
        """Remember a task until it ends."""
        _remember(self._unfinished, task_id, task, MAX_UNFINISHED)

    def finish(self, task_id: str) -> None:
        """Remember a task only for the few lines that may come late."""
        task = self._unfinished.pop(task_id, None)
        if task is not None:
            _remember(self._finished, task_id, task, MAX_FINISHED)

    def get(self, task_id: str) -> KnownTask:
        """What is known of a task. One that nobody knows is called ``unknown``."""
        known = self._unfinished.get(task_id) or self._finished.get(task_id)
        if known is None:
            known = self._look_up(task_id)
            _remember(self._finished, task_id, known, MAX_FINISHED)
        return known

    def span_of(self, task_id: str, attempt: int) -> SpanIdentity | None:
        """The span of an attempt of a task, or None if nobody knows it."""
        spans = self.get(task_id).spans
        if attempt not in spans:
            spans[attempt] = self._look_up_span(task_id, attempt)
        return spans[attempt]

    def _look_up_span(self, task_id: str, attempt: int) -> SpanIdentity | None:
        try:
            row = self._lookup.attempt(task_id, attempt)
        except Exception:  # noqa: BLE001 - a store that cannot be read costs the ids, not the line
            return None
        return row.span if row is not None and row.span.trace_id else None

    def _look_up(self, task_id: str) -> KnownTask:
        try:
            row = self._lookup.task(task_id)
        except Exception:  # noqa: BLE001 - a store that cannot be read costs the name, not the line
            row = None
        return KnownTask("unknown") if row is None else KnownTask(row.name, row.tags, row.attempts - 1)


class Translator:
    """Makes observers' events: every line; RUNNING once a task; its end once.

    As in fastapi-taskflow, there is none for being enqueued, for a retry, and for a task that was cancelled before it ran.
    """

    def __init__(self, lookup: Lookup) -> None:
        self._tasks = KnownTasks(lookup)

    def translate(self, events: Iterable[tuple[int, Event]]) -> list[tuple[int, ObserverEvent]]:
        """What observers are told about these events, in order, each with the sequence number of what it is about."""
        told = ((seq, self._tell(event)) for seq, event in events)
        return [(seq, event) for seq, event in told if event is not None]

    @singledispatchmethod
    def _tell(self, event: Event) -> ObserverEvent | None:
        return None

    @_tell.register
    def _enqueued(self, event: TaskEnqueued) -> None:
        self._tasks.add(event.task_id, KnownTask(event.name, event.tags))

    @_tell.register
    def _started(self, event: AttemptStarted) -> LifecycleEvent | None:
        task = self._tasks.get(event.task_id)
        task.attempt, task.spans[event.attempt] = event.attempt, event.span
        self._tasks.add(event.task_id, task)
        if event.attempt > 0:
            return None
        return LifecycleEvent(
            task_id=event.task_id,
            func_name=task.name,
            status=TaskStatus.RUNNING,
            timestamp=to_datetime(event.time),
            attempt=0,
            retries_used=0,
            tags=task.tags,
            trace_id=event.span.trace_id,
            span_id=event.span.span_id,
        )

    @_tell.register
    def _logged(self, event: TaskLogged) -> LogEvent:
        task = self._tasks.get(event.task_id)
        span = self._tasks.span_of(event.task_id, event.attempt)
        return LogEvent(
            task_id=event.task_id,
            func_name=task.name,
            message=event.message,
            level=event.level,
            timestamp=to_datetime(event.time),
            attempt=event.attempt,
            tags=task.tags,
            extra=event.extra,
            trace_id=span.trace_id if span else None,
            span_id=span.span_id if span else None,
            seq=event.seq,
            logger=event.logger,
        )

    @_tell.register
    def _ended(self, event: AttemptEnded) -> LifecycleEvent | None:
        if event.status not in FINAL_STATUSES:
            return None
        task = self._tasks.get(event.task_id)
        self._tasks.finish(event.task_id)
        span = self._tasks.span_of(event.task_id, event.attempt)
        return LifecycleEvent(
            task_id=event.task_id,
            func_name=task.name,
            status=event.status,
            timestamp=to_datetime(event.time),
            attempt=event.attempt,
            retries_used=event.attempt,
            # Of an attempt whose process died nobody knows how long it took.
            duration=None if event.status is TaskStatus.INTERRUPTED else event.duration / 1e9,
            error=event.error.message if event.error else None,
            stacktrace=event.error.stacktrace if event.error else None,
            tags=task.tags,
            trace_id=span.trace_id if span else None,
            span_id=span.span_id if span else None,
        )

    @_tell.register
    def _settled(self, event: TaskSettled) -> LifecycleEvent | None:
        task = self._tasks.get(event.task_id)
        self._tasks.finish(event.task_id)
        if task.attempt < 0 or event.status not in FINAL_STATUSES:
            return None
        span = self._tasks.span_of(event.task_id, task.attempt)
        return LifecycleEvent(
            task_id=event.task_id,
            func_name=task.name,
            status=event.status,
            timestamp=to_datetime(event.time),
            attempt=task.attempt,
            retries_used=task.attempt,
            tags=task.tags,
            trace_id=span.trace_id if span else None,
            span_id=span.span_id if span else None,
        )


def _remember(tasks: OrderedDict[str, KnownTask], task_id: str, task: KnownTask, limit: int) -> None:
    tasks[task_id] = task
    if len(tasks) > limit:
        tasks.popitem(last=False)


__all__ = ["KnownTask", "KnownTasks", "Translator"]
