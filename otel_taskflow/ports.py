"""The contracts between the layers. What a docstring here says, the contract suites test.

Only values of ``model`` and ``events`` cross these lines. Times are integer Unix nanoseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from otel_taskflow.events import AttemptEnded, AttemptStarted, Event
from otel_taskflow.model import (
    AttemptRow,
    LogRow,
    SpanIdentity,
    TaskFilter,
    TaskRow,
    TaskStatus,
)


class RollupDelta(NamedTuple):
    """What one slice adds to the per-minute figures of a task name."""

    name: str
    minute: int
    """Unix minutes."""
    enqueued: int = 0
    succeeded: int = 0
    failed: int = 0
    retried: int = 0
    cancelled: int = 0
    interrupted: int = 0
    duration_sum: int = 0
    """Nanoseconds of the attempts that ended."""
    duration_buckets: tuple[int, ...] = ()
    """Counts per bucket of ``DURATION_BUCKETS`` (one more than its bounds), not cumulative."""


DURATION_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
"""Upper bounds of the duration histogram, seconds."""


class StoreWrite(NamedTuple):
    """One slice of one journal, folded into whole rows. Written in one transaction together with the offset."""

    journal_id: str
    offset: int
    """Sequence number of the last event that is contained."""
    tasks: Sequence[TaskRow] = ()
    attempts: Sequence[AttemptRow] = ()
    logs: Sequence[LogRow] = ()
    rollups: Sequence[RollupDelta] = ()


class TaskDetail(NamedTuple):
    """A task with all its attempts, in order."""

    task: TaskRow
    attempts: Sequence[AttemptRow]


class TaskPage(NamedTuple):
    """Tasks newest first. ``cursor`` is opaque; None on the last page."""

    tasks: Sequence[TaskRow]
    cursor: str | None


class Change(NamedTuple):
    """An entry of the change feed: this task (its row, attempts or logs) was written by change number ``seq``.

    Numbers only grow, from transaction to transaction, and are never used again. A transaction that writes several tasks
    may give each its own number; then the last one is the number of the transaction.
    """

    seq: int
    task_id: str


class Command(NamedTuple):
    """A verb on its way to the process that owns the task."""

    id: int
    task_id: str
    verb: str
    """``cancel``"""
    time: int
    actor: str


class StoreUsage(NamedTuple):
    """How much a store holds."""

    tasks: int
    logs: int
    bytes: int
    """Of what is in use, or a good guess; it must fall when tasks are pruned."""
    oldest: int | None
    """``created_at`` of the oldest task."""


class StoreWriter(Protocol):
    """The writing half of a store. Synchronous; called from several threads of a process.

    A store is shared by the processes of a host: every call may compete with the same call elsewhere. The questions
    (``offset``, ``load_*``, ``find_idempotent``, ``owned``, ``owners``) should not wait for a ``write`` that is under way.
    Every call raises StoreError while the store is not to be had, also before ``open``. Anything else that ``write``
    raises says that it refuses the data: the slice is narrowed down to the record and that one left out.

    A writer may have ``maintain()``: it is called now and then, and must be cheap when there is nothing to do.
    """

    def open(self) -> None:
        """Create or migrate. Idempotent. Raises StoreError, or StoreVersionError and leaves the data untouched."""

    def close(self) -> None:
        """Release everything; a second call does nothing. The store may be opened again."""

    def write(self, write: StoreWrite) -> int:
        """Apply a slice and its offset in one transaction; return the change number of that transaction.

        A slice whose ``offset`` is not above the stored one of that journal changes nothing (replay) and returns the last
        change number. Tasks and attempts are upserted whole, but a task row is left alone if the stored row has another
        owner than ``row.owner`` (it was taken over; a stored row without an owner is free). Attempts and lines are
        written all the same. Log lines already there (task_id, attempt, seq) are ignored. Lines and attempts may come
        before the row of their task, from the journal of a child process: they are kept for it, and such a task is not
        found until its row is there. Rollups add up. Either everything is visible or nothing.
        """

    def offset(self, journal_id: str) -> int:
        """Sequence number of the last event of this journal that was written; 0 for an unknown journal."""

    def forget_journal(self, journal_id: str) -> None:
        """Drop the offset of a journal whose files are gone."""

    def load_tasks(self, task_ids: Sequence[str]) -> Mapping[str, TaskRow]:
        """The rows of these tasks; unknown ids are left out."""

    def load_attempt(self, task_id: str, attempt: int) -> AttemptRow | None:
        """One attempt."""

    def claim(self, previous_owner: str, new_owner: str, *, idle_only: bool = False) -> Sequence[TaskRow]:
        """Compare-and-set the owner of all unfinished tasks of ``previous_owner``; return those now owned by us.

        Atomic: of two concurrent claims exactly one gets each task. A repeated claim returns nothing, nor does one where
        both owners are the same. Claimed tasks enter the change feed. With ``idle_only``, tasks with a running attempt
        (``running`` without ``waiting_until``) stay with their owner.
        """

    def owned(self, owner: str) -> Sequence[TaskRow]:
        """Unfinished tasks of an owner."""

    def owners(self) -> Sequence[str]:
        """Owners that have unfinished tasks."""

    def add_command(self, task_id: str, verb: str, actor: str, time: int) -> int:
        """Keep a verb for the owner of the task; returns its id."""

    def take_commands(self, owner: str) -> Sequence[Command]:
        """Remove and return the commands for tasks of this owner, oldest first. Each is returned to one caller only.

        Called twice a second, so it must be cheap when there is nothing. Commands for other owners, and for tasks that are
        not there (yet), stay.
        """

    def find_idempotent(self, name: str, key: str) -> str | None:
        """Id of the newest task of that name with this idempotency key that is pending, running or succeeded."""

    def prune(self, before: int, max_bytes: int, limit: int = 500) -> int:
        """Delete at most ``limit`` finished tasks, oldest end first, with attempts, logs, commands and feed entries.

        Those that ended before ``before``, and, while the store is larger than ``max_bytes``, the oldest beyond that.
        Per-minute figures from before ``before`` go too. Unfinished tasks are never deleted. Returns how many tasks went;
        callers repeat until it returns 0. No transaction is long, however many lines a task has.
        """

    def usage(self) -> StoreUsage:
        """Rows and bytes held."""


class StoreReader(Protocol):
    """The reading half of a store: the web and ``TaskManager.reader()`` use it, the engine never does. Never writes."""

    async def list_tasks(self, where: TaskFilter, limit: int, cursor: str | None = None) -> TaskPage:
        """Tasks newest first (created_at, task_id). The cursor stays valid while tasks are added.

        ``created_after`` is included, ``created_before`` is not. A ``trace_id`` is asked for by people who come from a trace:
        it may take as long as looking at every task. Raises ConfigurationError for a cursor that is none.
        """

    async def get_task(self, task_id: str) -> TaskDetail | None:
        """One task with its attempts, or None."""

    async def get_logs(
        self,
        task_id: str,
        *,
        after: tuple[int, int] | None = None,
        limit: int = 1000,
        min_level: str | None = None,
        attempt: int | None = None,
    ) -> Sequence[LogRow]:
        """Log lines in order of (attempt, seq), those after the (attempt, seq) given.

        ``min_level``: debug, info, warning or error, and everything above it.
        """

    async def get_new_logs(self, task_id: str, after_change: int, limit: int = 1000) -> Sequence[LogRow]:
        """Lines of a task written after change number ``after_change``, in order of writing."""

    async def count_by_status(self) -> Mapping[TaskStatus, int]:
        """How many tasks are in each state; states without a task may be left out."""

    async def average_duration(self) -> float:
        """Mean seconds from first start to end of the finished tasks that were started; 0.0 if none."""

    async def rollups(self, since_minute: int, name: str | None = None) -> Sequence[RollupDelta]:
        """Per-minute figures since a Unix minute, in order of time."""

    async def changes(self, after: int, limit: int = 1000) -> Sequence[Change]:
        """The change feed after a change number, oldest first; of several entries for a task the last is enough."""

    async def last_change(self) -> int:
        """Highest change number, 0 in a new store. It stays when tasks are pruned."""

    async def first_change(self) -> int:
        """Number from which on the feed is whole, at least 1; a reader further back than one below it must reload."""

    async def get_offset(self, journal_id: str) -> int:
        """As ``StoreWriter.offset``, for readers."""

    async def aclose(self) -> None:
        """Close the reader's connections on this event loop.

        A manager that stops calls it on each loop that runs then, after the writer's ``close``. Nobody does on a loop that
        has ended before, so a connection must not keep the process alive.
        """


class Store(Protocol):
    """What ``TaskManager(store=...)`` takes: a writer and readers of the same data.

    ``reader()`` may be called on several event loops; each gets its own reader. ``is_persistent`` says whether the data
    outlives the process (a memory store's journal leaves nothing on disk either). ``location`` is shown to people.

    One object may be given to several managers of a process: the first to start opens the writer, the last to stop closes it.

    A store may have ``size()``: the bytes that it takes, or None; asked about once a second, so it must be cheap.
    """

    is_persistent: bool
    location: str

    @property
    def writer(self) -> StoreWriter:
        """The one writer of this process."""

    def reader(self) -> StoreReader:
        """A new reader for the running event loop."""


class JournalHeader(NamedTuple):
    """Who wrote a journal. JSON at the head of each segment."""

    journal_id: str
    created_at: int
    pid: int
    host: str
    boot_id: str
    worker: str
    """Shown to people and set as ``otel_taskflow.worker.id``."""
    namespace: str = "default"
    """Name of the TaskManager; two managers on one folder keep apart by it."""
    resource: Mapping[str, Any] = {}
    """Attributes of the process's OpenTelemetry resource as JSON can hold them, if telemetry is exported from the journal."""
    resource_schema_url: str = ""
    release: str = ""


class JournalSlice(NamedTuple):
    """Consecutive decoded events of one journal, ordered by sequence number, at most a few hundred."""

    header: JournalHeader
    first: int
    last: int
    """Sequence numbers; ``first`` is one above the previous slice's ``last`` even if records were dropped in between."""
    events: Sequence[tuple[int, Event]]
    live: bool = True
    """False for the journal of a dead process."""


class Consumer(Protocol):
    """Something that tails the journal. Called on a thread of its own, one slice after the other, in order.

    An exception is counted and logged once and the slice is offered again after a pause, up to three times; then it is
    skipped and counted. It never reaches a task.

    A consumer with a method ``is_listening() -> bool`` is passed by while that says False. One with ``is_stalled() -> bool``
    is not waited for at the end of the process while that says True; it may be closed while it takes a slice.
    """

    name: str

    def consume(self, piece: JournalSlice) -> None:
        """Take a slice. When it returns, the slice counts as consumed."""

    def close(self, timeout: float) -> None:
        """No more slices will come. Deliver what is buffered within ``timeout`` seconds."""


class AttemptSpan(Protocol):
    """The live CONSUMER span of a running attempt."""

    identity: SpanIdentity

    def activate(self) -> None:
        """Make it current in the calling contextvars context, in place of whatever OpenTelemetry context is there."""

    def carrier(self) -> Mapping[str, str]:
        """What ``activate`` makes current, for an attempt that runs in another process. Never raises."""

    def additions(self) -> Mapping[str, Any] | None:
        """What user code did with the span, as JSON, to be journalled with the attempt's end. Never raises.

        None if it did nothing, or if the span is not exported from the journal.
        """

    def end(self, ended: AttemptEnded, logs: AttemptLogs, exception: BaseException | None) -> None:
        """Add the attempt's events with their own timestamps, set attributes and status, end. Never raises."""


class AttemptLogs(Protocol):
    """The bounded log of an attempt, for its span: the first 64 and the last 64 lines."""

    count: int

    def kept(self) -> Sequence[tuple[int, str, str, Mapping[str, Any]]]:
        """(time, level, message, extra) in order."""


class Telemetry(Protocol):
    """Makes spans. Decides nothing, fails nothing: no method raises, whatever providers and processors do."""

    def enqueue(self, task_id: str, definition_name: str, code_name: str, tags: Mapping[str, str]) -> EnqueueSpan:
        """Start and end the PRODUCER span ``send {task}`` under the current span; its identity and W3C carrier."""

    def start_attempt(self, task: TaskRow, started: AttemptStarted) -> AttemptSpan:
        """Start the CONSUMER span ``process {task}``, linked to the span of the ``started.previous`` attempt.

        ``started.span`` is a placeholder without ids; the identity of the returned span is what gets journalled.
        """

    def attempt_started(self, name: str) -> None:
        """Count an attempt as active (metrics)."""

    def attempt_ended(self, name: str, ended: AttemptEnded, span: AttemptSpan, queue_wait: int) -> None:
        """Record duration (with the span as exemplar) and counts. Never raises."""

    def watch(self, figures: Watched) -> Callable[[], None]:
        """Report these figures as metrics, read when a reader asks, until the returned function is called."""


class Watched(NamedTuple):
    """Figures of one running manager, for metrics. Any of them may raise: then it is left out."""

    queue_depth: Callable[[], int]
    """Starts that wait for a thread or a slot."""
    journal_lag: Callable[[], Mapping[str, int]]
    """Events that each consumer is behind."""
    dropped: Callable[[], Mapping[tuple[str, str], int]]
    """What was lost on the way into the store and to observers, by signal and reason. Its last figures are reported on."""
    export_pending: Callable[[], Mapping[tuple[str, str], int]] = dict
    """Messages that wait to be sent, by destination and signal."""
    export_dropped: Callable[[], Mapping[tuple[str, str, str], int]] = dict
    """Messages that were lost on the way to a destination, by destination, signal and reason."""


class EnqueueSpan(NamedTuple):
    """What ``Telemetry.enqueue`` returns."""

    identity: SpanIdentity
    carrier: Mapping[str, str]


Clock = Callable[[], int]
"""Returns Unix nanoseconds."""
