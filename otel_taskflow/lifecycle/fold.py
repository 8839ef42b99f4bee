"""Events folded into whole rows. Replay is the normal path: live and dead journals go through the same function."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from otel_taskflow.events import (
    AttemptEnded,
    AttemptStarted,
    Event,
    LinesCounted,
    TaskAdopted,
    TaskEnqueued,
    TaskLogged,
    TaskReleased,
    TaskRetried,
    TaskSettled,
)
from otel_taskflow.lifecycle.rollups import Rollups
from otel_taskflow.model import FINAL_STATUSES, AttemptRow, LogRow, SpanIdentity, TaskRow, TaskStatus
from otel_taskflow.ports import JournalSlice, StoreWrite

_UNKNOWN_SPAN = SpanIdentity("", "")


class Entry(NamedTuple):
    """A task and its newest attempt."""

    task: TaskRow
    attempt: AttemptRow | None = None


Load = Callable[[Sequence[str]], dict[str, Entry]]
"""Fetches tasks that began before this process, or before the part of the journal that is read."""


Pace = Callable[[Sequence[tuple[int, Event]]], Iterable[tuple[int, Event]]]
"""Hands out the events of a slice, perhaps with rests."""


class Fold:
    """Folds the events of one journal. Keeps the unfinished tasks, nothing else; ``undo`` takes the last fold back."""

    def __init__(
        self, owner: str, load: Load, pace: Pace = iter, unfinished: Mapping[str, Entry] | None = None
    ) -> None:
        self._owner = owner
        self._pace = pace
        self._load = load
        self._open: dict[str, Entry] = dict(unfinished or {})
        self._before: dict[str, Entry | None] = {}

    def fold(self, piece: JournalSlice) -> StoreWrite:
        """The rows that these events add and change."""
        self._before = {}
        slice_fold = _SliceFold(self._owner, self._known_to(piece.events))
        for _, event in self._pace(piece.events):
            slice_fold.apply(event)
        write = slice_fold.write(piece.header.journal_id, piece.last)
        self._remember(slice_fold.tasks)
        return write

    @property
    def unfinished(self) -> Mapping[str, Entry]:
        """The unfinished tasks after the last fold, by id."""
        return dict(self._open)

    def undo(self) -> None:
        """Forget the last fold; its rows were not written."""
        for task_id, entry in self._before.items():
            if entry is None:
                self._open.pop(task_id, None)
            else:
                self._open[task_id] = entry

    def _known_to(self, events: Sequence[tuple[int, Event]]) -> dict[str, Entry]:
        known: dict[str, Entry] = {}
        missing = []
        for task_id in _first_mentions(events):
            entry = self._open.get(task_id)
            if entry is None:
                missing.append(task_id)
            else:
                known[task_id] = entry
        return {**known, **self._load(missing)} if missing else known

    def _remember(self, entries: dict[str, Entry]) -> None:
        for task_id, entry in entries.items():
            self._before[task_id] = self._open.get(task_id)
            if entry.task.status in FINAL_STATUSES:
                self._open.pop(task_id, None)
            else:
                self._open[task_id] = entry


class LineFold:
    """Makes rows of the lines of a journal whose other events are folded already. Keeps nothing."""

    def __init__(self, pace: Pace = iter) -> None:
        self._pace = pace

    def fold(self, piece: JournalSlice) -> StoreWrite:
        """The rows of the lines; no task's row changes."""
        lines = [_line_row(event) for _, event in self._pace(piece.events) if type(event) is TaskLogged]
        return StoreWrite(piece.header.journal_id, piece.last, logs=lines)

    def undo(self) -> None:
        """Nothing is kept."""


def _line_row(event: TaskLogged) -> LogRow:
    task_id, time, attempt, seq, level, message, extra, logger, late = event
    return LogRow(task_id, attempt, seq, time, level, message, extra, logger, late)


def _first_mentions(events: Iterable[tuple[int, Event]]) -> list[str]:
    """Tasks whose enqueueing is not among the events before their other events."""
    seen: dict[str, bool] = {}
    for _, event in events:
        seen.setdefault(event.task_id, type(event) is TaskEnqueued)
    return [task_id for task_id, is_new in seen.items() if not is_new]


class _SliceFold:
    """One slice while it is folded."""

    def __init__(self, owner: str, known: dict[str, Entry]) -> None:
        self._owner = owner
        self._known = known
        self.tasks: dict[str, Entry] = {}
        self._attempts: dict[tuple[str, int], AttemptRow] = {}
        self._logs: list[LogRow] = []
        self._log_counts: dict[tuple[str, int], int] = {}
        self._rollups = Rollups()

    def write(self, journal_id: str, offset: int) -> StoreWrite:
        """The rows, each once."""
        self._add_log_counts()
        return StoreWrite(
            journal_id,
            offset,
            [entry.task for entry in self.tasks.values()],
            list(self._attempts.values()),
            self._logs,
            self._rollups.deltas(),
        )

    def apply(self, event: Event) -> None:
        """Fold one event. An event of a task that nobody knows any more changes nothing, but its log line is kept."""
        if type(event) is TaskLogged:
            self._log(event)
        elif type(event) is TaskEnqueued:
            self._enqueue(event)
        elif type(event) is LinesCounted:
            self._count(*event)
        else:
            entry = self._entry(event.task_id)
            if entry is not None:
                self._change(entry, event)

    def _entry(self, task_id: str) -> Entry | None:
        return self.tasks.get(task_id) or self._known.get(task_id)

    def _put(self, task: TaskRow, attempt: AttemptRow | None) -> None:
        self.tasks[task.task_id] = Entry(task, attempt)
        if attempt is not None:
            self._attempts[attempt.task_id, attempt.attempt] = attempt

    def _log(self, event: TaskLogged) -> None:
        self._logs.append(_line_row(event))
        self._count(event.task_id, event.attempt, 1)

    def _count(self, task_id: str, attempt: int, lines: int) -> None:
        self._log_counts[task_id, attempt] = self._log_counts.get((task_id, attempt), 0) + lines

    def _add_log_counts(self) -> None:
        """Counts of running attempts; the end of an attempt carries its own."""
        for (task_id, number), count in self._log_counts.items():
            entry = self._entry(task_id)
            if entry is None:
                continue
            task = entry.task._replace(log_count=entry.task.log_count + count)
            attempt = entry.attempt
            if (
                attempt is not None
                and attempt.attempt == number
                and (attempt.outcome is None or task_id not in self.tasks)
            ):
                attempt = attempt._replace(log_count=attempt.log_count + count)
            self._put(task, attempt)

    def _enqueue(self, event: TaskEnqueued) -> None:
        task = TaskRow(
            task_id=event.task_id,
            name=event.name,
            status=TaskStatus.PENDING,
            created_at=event.time,
            args=event.args,
            tags=event.tags,
            idempotency_key=event.idempotency_key,
            source=event.source,
            held=event.held,
            released_at=None if event.held else event.time,
            max_attempts=event.max_attempts,
            owner=self._owner,
            span=event.span,
            carrier=event.carrier,
            executor=event.executor,
            retry_of=event.retry_of,
            requeue_on_interrupt=event.requeue_on_interrupt,
            expires_at=event.expires_at,
        )
        self.tasks[event.task_id] = Entry(task)
        self._rollups.enqueued(event.name, event.time)

    def _change(self, entry: Entry, event: Event) -> None:
        match event:
            case AttemptStarted():
                self._start(entry, event)
            case AttemptEnded():
                self._end(entry, event)
            case TaskReleased():
                self._put(entry.task._replace(held=False, released_at=event.time), entry.attempt)
            case TaskSettled():
                self._settle(entry, event)
            case TaskRetried():
                self._put(entry.task._replace(retried_as=event.retried_as), entry.attempt)
            case TaskAdopted():
                self._put(entry.task._replace(owner=self._owner), entry.attempt)

    def _start(self, entry: Entry, event: AttemptStarted) -> None:
        task = entry.task._replace(
            status=TaskStatus.RUNNING,
            started_at=event.time if entry.task.started_at is None else entry.task.started_at,
            ended_at=None,
            waiting_until=None,
            attempts=event.attempt + 1,
            held=False,
            reason=None,
        )
        attempt = AttemptRow(
            event.task_id, event.attempt, event.time, event.span, event.worker, queue_wait=event.queue_wait
        )
        self._put(task, attempt)

    def _end(self, entry: Entry, event: AttemptEnded) -> None:
        is_final = event.status in FINAL_STATUSES
        error = event.error if event.status is not TaskStatus.SUCCESS else None
        task = entry.task._replace(
            status=event.status,
            ended_at=event.time if is_final else None,
            waiting_until=event.waiting_until,
            error=error if error is not None or event.status is TaskStatus.SUCCESS else entry.task.error,
            reason=event.reason,
        )
        self._put(task, self._ended_attempt(entry.attempt, event))
        self._rollups.ended(task.name, event)

    @staticmethod
    def _ended_attempt(attempt: AttemptRow | None, event: AttemptEnded) -> AttemptRow:
        if attempt is None or attempt.attempt != event.attempt:
            attempt = AttemptRow(event.task_id, event.attempt, event.time - event.duration, _UNKNOWN_SPAN, "")
        return attempt._replace(
            ended_at=event.time,
            duration=event.duration,
            outcome=event.outcome,
            error=event.error,
            log_count=max(event.log_count, attempt.log_count),
            late_end=event.reason == "thread_still_running",
        )

    def _settle(self, entry: Entry, event: TaskSettled) -> None:
        task = entry.task._replace(
            status=event.status, ended_at=event.time, waiting_until=None, reason=event.reason, held=False
        )
        self._put(task, entry.attempt)
        self._rollups.settled(task.name, event)
