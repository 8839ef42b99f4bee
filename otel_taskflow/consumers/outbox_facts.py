"""What the outbox knows of tasks whose events it reads."""

from __future__ import annotations

from collections import OrderedDict

from otel_taskflow.consumers.lookup import Lookup
from otel_taskflow.events import AttemptStarted, TaskEnqueued
from otel_taskflow.model import AttemptRow, SpanIdentity, TaskRow, TaskStatus
from otel_taskflow.telemetry.otlp.attempts import facts_of

MAX_TASKS = 100_000
MAX_FINISHED = 1_000
"""Finished tasks that are remembered, for lines that come after the end."""


class TaskFacts:
    """Tasks by id: those of this journal as it said, the others as the store has them. Bounded."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._live: OrderedDict[str, TaskRow] = OrderedDict()
        self._finished: OrderedDict[str, TaskRow] = OrderedDict()
        self._spans: dict[str, dict[int, SpanIdentity]] = {}
        """Of the attempts that were seen to start, by task, as long as that is remembered."""

    def enqueued(self, event: TaskEnqueued) -> TaskRow:
        """A new task."""
        task = TaskRow(
            event.task_id,
            event.name,
            TaskStatus.PENDING,
            event.time,
            tags=event.tags,
            max_attempts=event.max_attempts,
            span=event.span,
            carrier=event.carrier,
        )
        self._keep(task)
        return task

    def of(self, task_id: str) -> TaskRow | None:
        """The task, or None if nobody knows it."""
        task = self._live.get(task_id) or self._finished.get(task_id)
        if task is None and (row := self._lookup.task(task_id)) is not None:
            task = facts_of(row)
            self._keep(task)
        return task

    def started(self, event: AttemptStarted) -> None:
        """An attempt of a task that is known."""
        self._spans.setdefault(event.task_id, {})[event.attempt] = event.span

    def span_of(self, task_id: str, number: int) -> SpanIdentity | None:
        """The span of an attempt, also when it has ended, else that of its task."""
        span = self._spans.get(task_id, {}).get(number)
        if span is not None:
            return span
        row, task = self.attempt(task_id, number), self.of(task_id)
        return row.span if row is not None else task.span if task is not None else None

    def attempt(self, task_id: str, number: int) -> AttemptRow | None:
        """The stored row of an attempt."""
        return self._lookup.attempt(task_id, number)

    def finish(self, task_id: str) -> None:
        """The task is over."""
        task = self._live.pop(task_id, None)
        if task is not None:
            self._finished[task_id] = task
        if len(self._finished) > MAX_FINISHED:
            self._forget(self._finished)

    def _keep(self, task: TaskRow) -> None:
        self._live[task.task_id] = task
        if len(self._live) > MAX_TASKS:
            self._forget(self._live)

    def _forget(self, tasks: OrderedDict[str, TaskRow]) -> None:
        task_id, _ = tasks.popitem(last=False)
        self._spans.pop(task_id, None)
