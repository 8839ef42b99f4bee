"""Events folded into whole rows. Replay is the normal path: live and dead journals go through the same function."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from otel_taskflow.events import (
    AttemptEnded,
    AttemptStarted,
    Event,
    LinesCounted,
    TaskAdopted,
    TaskCancelRequested,
    TaskEnqueued,
    TaskLogged,
    TaskReleased,
    TaskRetried,
    TaskSettled,
)
from otel_taskflow.lifecycle.decide import CANCEL_REQUESTED, is_final
from otel_taskflow.lifecycle.rollups import Rollups
from otel_taskflow.model import AttemptRow, LogRow, SpanIdentity, TaskRow, TaskStatus
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
        self._remember(slice_fold.entries(write))
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

    def _remember(self, entries: Mapping[str, Entry | None]) -> None:
        for task_id, entry in entries.items():
            self._before[task_id] = self._open.get(task_id)
            if entry is None:
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


class _Draft:
    """A task and its newest attempt while a slice is folded, as lists in the order of their rows' fields.

    A row is made once, when all events of the slice are folded, instead of a changed copy for each of them.
    """

    __slots__ = ("attempt", "task")

    def __init__(self, task: list[Any]) -> None:
        self.task = task
        self.attempt: list[Any] | None = None


class _SliceFold:
    """One slice while it is folded."""

    def __init__(self, owner: str, known: dict[str, Entry]) -> None:
        self._owner = owner
        self._known = known
        self._drafts: dict[str, _Draft] = {}
        self._attempts: dict[tuple[str, int], list[Any]] = {}
        self._logs: list[LogRow] = []
        self._log_counts: dict[tuple[str, int], int] = {}
        self._rollups = Rollups()

    def write(self, journal_id: str, offset: int) -> StoreWrite:
        """The rows, each once. After all events."""
        self._add_log_counts()
        return StoreWrite(
            journal_id,
            offset,
            [TaskRow(*draft.task) for draft in self._drafts.values()],
            [AttemptRow(*attempt) for attempt in self._attempts.values()],
            self._logs,
            self._rollups.deltas(),
        )

    def entries(self, write: StoreWrite) -> dict[str, Entry | None]:
        """What is to be remembered of the tasks of ``write``: nothing of those that have ended."""
        attempts = dict(zip(self._attempts, write.attempts, strict=True))
        entries: dict[str, Entry | None] = {}
        for row, draft in zip(write.tasks, self._drafts.values(), strict=True):
            attempt = None if draft.attempt is None else attempts[row.task_id, draft.attempt[_NUMBER]]
            entries[row.task_id] = None if is_final(row.status) else Entry(row, attempt)
        return entries

    def apply(self, event: Event) -> None:
        """Fold one event. An event of a task that nobody knows any more changes nothing, but its log line is kept."""
        if type(event) is TaskLogged:
            self._log(event)
        elif type(event) is TaskEnqueued:
            self._enqueue(event)
        elif type(event) is LinesCounted:
            self._count(*event)
        elif (draft := self._draft_of(event.task_id)) is not None:
            self._CHANGES[type(event)](self, draft, event)

    def _draft_of(self, task_id: str) -> _Draft | None:
        """The draft of a task that is about to change; None for one that nobody knows."""
        draft = self._drafts.get(task_id)
        if draft is None and (entry := self._known.get(task_id)) is not None:
            draft = self._drafts[task_id] = _Draft(list(entry.task))
            if entry.attempt is not None:
                self._put_attempt(draft, list(entry.attempt))
        return draft

    def _put_attempt(self, draft: _Draft, attempt: list[Any]) -> None:
        draft.attempt = self._attempts[attempt[_TASK_ID], attempt[_NUMBER]] = attempt

    def _log(self, event: TaskLogged) -> None:
        self._logs.append(_line_row(event))
        self._count(event.task_id, event.attempt, 1)

    def _count(self, task_id: str, attempt: int, lines: int) -> None:
        self._log_counts[task_id, attempt] = self._log_counts.get((task_id, attempt), 0) + lines

    def _add_log_counts(self) -> None:
        """Counts of running attempts; the end of an attempt carries its own."""
        for (task_id, number), count in self._log_counts.items():
            is_changed = task_id in self._drafts
            draft = self._draft_of(task_id)
            if draft is None:
                continue
            draft.task[_TASK_LINES] += count
            attempt = draft.attempt
            if attempt is not None and attempt[_NUMBER] == number and (attempt[_OUTCOME] is None or not is_changed):
                attempt[_LINES] += count

    def _enqueue(self, event: TaskEnqueued) -> None:
        self._drafts[event.task_id] = _Draft(_new_task(event, self._owner))
        self._rollups.enqueued(event.name, event.time)

    def _start(self, draft: _Draft, event: AttemptStarted) -> None:
        task = draft.task
        task[_STATUS] = TaskStatus.RUNNING
        if task[_STARTED_AT] is None:
            task[_STARTED_AT] = event.time
        task[_ENDED_AT] = task[_WAITING_UNTIL] = task[_REASON] = None
        task[_ATTEMPTS] = event.attempt + 1
        task[_HELD] = False
        self._put_attempt(draft, _new_attempt(event))

    def _end(self, draft: _Draft, event: AttemptEnded) -> None:
        task, status = draft.task, event.status
        task[_STATUS] = status
        task[_ENDED_AT] = event.time if is_final(status) else None
        task[_WAITING_UNTIL] = event.waiting_until
        task[_REASON] = event.reason
        if status is TaskStatus.SUCCESS or event.error is not None:
            task[_ERROR] = None if status is TaskStatus.SUCCESS else event.error
        self._end_attempt(draft, event)
        self._rollups.ended(task[_NAME], event)

    def _end_attempt(self, draft: _Draft, event: AttemptEnded) -> None:
        attempt = draft.attempt
        if attempt is None or attempt[_NUMBER] != event.attempt:
            row = AttemptRow(event.task_id, event.attempt, event.time - event.duration, _UNKNOWN_SPAN, "")
            self._put_attempt(draft, attempt := list(row))
        attempt[_ATTEMPT_ENDED_AT] = event.time
        attempt[_DURATION] = event.duration
        attempt[_OUTCOME] = event.outcome
        attempt[_ATTEMPT_ERROR] = event.error
        attempt[_LINES] = max(event.log_count, attempt[_LINES])
        attempt[_LATE_END] = event.reason == "thread_still_running"

    def _request_cancel(self, draft: _Draft, _: TaskCancelRequested) -> None:
        if not is_final(draft.task[_STATUS]):
            draft.task[_REASON] = CANCEL_REQUESTED

    def _settle(self, draft: _Draft, event: TaskSettled) -> None:
        task = draft.task
        task[_STATUS] = event.status
        task[_ENDED_AT] = event.time
        task[_WAITING_UNTIL] = None
        task[_REASON] = event.reason
        task[_HELD] = False
        self._rollups.settled(task[_NAME], event)

    def _release(self, draft: _Draft, event: TaskReleased) -> None:
        draft.task[_HELD] = False
        draft.task[_RELEASED_AT] = event.time

    def _retry(self, draft: _Draft, event: TaskRetried) -> None:
        draft.task[_RETRIED_AS] = event.retried_as

    def _adopt(self, draft: _Draft, _: TaskAdopted) -> None:
        draft.task[_OWNER] = self._owner

    _CHANGES: Mapping[type[Any], Callable[..., None]] = {
        AttemptStarted: _start,
        AttemptEnded: _end,
        TaskCancelRequested: _request_cancel,
        TaskSettled: _settle,
        TaskReleased: _release,
        TaskRetried: _retry,
        TaskAdopted: _adopt,
    }


def _new_task(event: TaskEnqueued, owner: str) -> list[Any]:
    # By place: with names it takes three times as long, and every task passes here.
    return [
        event.task_id,
        event.name,
        TaskStatus.PENDING,
        event.time,
        event.args,
        event.tags,
        event.idempotency_key,
        event.source,
        event.held,
        None if event.held else event.time,  # released_at
        None,  # started_at
        None,  # ended_at
        None,  # waiting_until
        0,  # attempts
        event.max_attempts,
        None,  # error
        None,  # reason
        owner,
        event.span,
        event.carrier,
        event.executor,
        event.retry_of,
        None,  # retried_as
        0,  # log_count
        event.requeue_on_interrupt,
        event.expires_at,
    ]


def _new_attempt(event: AttemptStarted) -> list[Any]:
    ended_at = duration = outcome = error = None
    return [
        event.task_id,
        event.attempt,
        event.time,
        event.span,
        event.worker,
        ended_at,
        duration,
        event.queue_wait,
        outcome,
        error,
        0,  # log_count
        False,  # late_end
    ]


_TASK_ID = TaskRow._fields.index("task_id")
_NAME = TaskRow._fields.index("name")
_STATUS = TaskRow._fields.index("status")
_HELD = TaskRow._fields.index("held")
_RELEASED_AT = TaskRow._fields.index("released_at")
_STARTED_AT = TaskRow._fields.index("started_at")
_ENDED_AT = TaskRow._fields.index("ended_at")
_WAITING_UNTIL = TaskRow._fields.index("waiting_until")
_ATTEMPTS = TaskRow._fields.index("attempts")
_ERROR = TaskRow._fields.index("error")
_REASON = TaskRow._fields.index("reason")
_OWNER = TaskRow._fields.index("owner")
_RETRIED_AS = TaskRow._fields.index("retried_as")
_TASK_LINES = TaskRow._fields.index("log_count")

_NUMBER = AttemptRow._fields.index("attempt")
_ATTEMPT_ENDED_AT = AttemptRow._fields.index("ended_at")
_DURATION = AttemptRow._fields.index("duration")
_OUTCOME = AttemptRow._fields.index("outcome")
_ATTEMPT_ERROR = AttemptRow._fields.index("error")
_LINES = AttemptRow._fields.index("log_count")
_LATE_END = AttemptRow._fields.index("late_end")
