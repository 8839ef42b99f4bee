"""One poller of the change feed for all live streams of an event loop; it runs only while streams are open."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from otel_taskflow.health import HealthReport
from otel_taskflow.model import TaskFilter, TaskRow
from otel_taskflow.ports import StoreReader
from otel_taskflow.web.api import read_metrics
from otel_taskflow.web.backend import AdminBackend
from otel_taskflow.web.health import Vitals

_logger = logging.getLogger("otel_taskflow")

TICK = 0.1
"""Seconds over which changes are gathered."""
MAX_PENDING = 5000
"""Changed tasks waiting to be shown; beyond it streams are told to reload."""
_BATCHES_KEPT = 64
_CHANGES_READ = 1000
_ROWS_SINGLY = 20
_NEWEST = 200
_SHARE = 10
"""The poller takes at most about a tenth of the loop's time, the figures a tenth of the poller's."""
_STALE = 5.0
"""Seconds that figures may be behind the tasks beside them, unless counting them takes more than a tenth of that."""
RECOUNT_AFTER = 60.0
"""Seconds after which figures are counted again though nothing has changed: retention takes tasks, and tells nobody."""


class Batch(NamedTuple):
    """What changed within a tick. Everything up to ``change`` has been shown when it has been."""

    number: int
    change: int
    changed: frozenset[str]
    tasks: Sequence[TaskRow]
    metrics: dict[str, Any]
    is_lossy: bool


@dataclass
class _State:
    """What a poller knows; a new poller begins anew."""

    position: int
    read: int = field(init=False)
    is_stopped: bool = False
    next_number: int = 0
    pending: dict[str, int] = field(default_factory=dict)
    batches: deque[Batch] = field(default_factory=lambda: deque(maxlen=_BATCHES_KEPT))
    figures: dict[str, Any] = field(default_factory=dict)
    are_figures_stale: bool = False
    figures_due: float = 0.0
    recount_at: float = math.inf

    def __post_init__(self) -> None:
        self.read = self.position


class Feed:
    """Reads changes once and keeps the last batches for all streams; a stream that falls behind must reload."""

    def __init__(self, backend: AdminBackend) -> None:
        self._backend = backend
        self._loop = asyncio.get_running_loop()
        self._joining = asyncio.Lock()
        self._news = asyncio.Event()
        self._streams = 0
        self._poller: asyncio.Task[None] | None = None
        self._undo: Sequence[Callable[[], None]] = ()
        self.vitals = Vitals()
        self._has_failed = False
        self._state = _State(0)

    # Streams

    async def join(self) -> None:
        """Begin to follow; the first stream starts the poller."""
        async with self._joining:
            if self._poller is None or self._poller.done():
                self._state = _State(await self._backend.reader().last_change())
                self._state.recount_at = self._loop.time() + RECOUNT_AFTER
                self._poller = asyncio.create_task(self._poll(), name="otel_taskflow live feed")
                self.vitals.take(await asyncio.to_thread(self._backend.health))
                self._undo = (
                    self._backend.on_stop(self._stop_from_anywhere),
                    self._backend.on_health(self._hear_from_anywhere),
                )
            self._streams += 1

    async def leave(self) -> None:
        """Stop following; the last stream ends the poller."""
        self._streams -= 1
        if self._streams == 0 and self._poller is not None:
            poller, self._poller = self._poller, None
            for undo in self._undo:
                undo()
            poller.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await poller

    @property
    def position(self) -> int:
        """The change up to which everything has been published."""
        return self._state.position

    @property
    def is_stopped(self) -> bool:
        """True when the process begins to stop: streams end now."""
        return self._state.is_stopped

    @property
    def next_number(self) -> int:
        """The number of the batch that comes next."""
        return self._state.next_number

    def batch(self, number: int) -> Batch | None:
        """A batch; None if it has been dropped, so that a stream this far back must reload."""
        oldest = self._state.batches[0].number if self._state.batches else self._state.next_number
        return self._state.batches[number - oldest] if number >= oldest else None

    async def wait(self, is_over: Callable[[], bool], timeout: float) -> None:
        """Until there is news, if it is not over already, or until ``timeout`` seconds have passed."""
        if is_over() or self._state.is_stopped:
            return
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._news.wait(), timeout)

    # The poller

    async def _poll(self) -> None:
        while True:
            began = self._loop.time()
            try:
                batch = await self._collect()
                self._has_failed = False
            except Exception as error:  # noqa: BLE001 - whatever the store does, streams wait for better times
                self._report(error)
                batch = None
            if batch is not None:
                self._publish(batch)
            cost = self._loop.time() - began
            await asyncio.sleep(1.0 if self._has_failed else max(TICK, min(2.0, cost * _SHARE)))

    async def _collect(self) -> Batch | None:
        reader = self._backend.reader()
        changes = await reader.changes(self._state.read, _CHANGES_READ)
        for change in changes:
            self._state.pending.pop(change.task_id, None)
            self._state.pending[change.task_id] = change.seq
        self._state.read = changes[-1].seq if changes else self._state.read
        is_lossy = len(self._state.pending) > MAX_PENDING
        if is_lossy:
            self._state.pending.clear()
        tasks = await self._take_rows(reader)
        has_new_figures = await self._read_figures(bool(changes))
        if not (changes or tasks or has_new_figures):
            return None
        self._state.position = min(self._state.pending.values()) - 1 if self._state.pending else self._state.read
        changed = frozenset(change.task_id for change in changes)
        return Batch(self._state.next_number, self._state.position, changed, tasks, self._state.figures, is_lossy)

    async def _take_rows(self, reader: StoreReader) -> list[TaskRow]:
        """Rows of the changed tasks: many at once if they are among the newest, the others a few a tick."""
        rows: list[TaskRow] = []
        if len(self._state.pending) > _ROWS_SINGLY:
            page = await reader.list_tasks(TaskFilter(), _NEWEST)
            rows = [row for row in page.tasks if self._state.pending.pop(row.task_id, None) is not None]
        for task_id in list(self._state.pending)[:_ROWS_SINGLY]:
            detail = await reader.get_task(task_id)
            del self._state.pending[task_id]
            if detail is not None:
                rows.append(detail.task)
        return rows

    async def _read_figures(self, has_changed: bool) -> bool:
        """Count again if something changed, but seldom while counting is dear; what is stale then is counted later.

        True if they are others than before.
        """
        began = self._loop.time()
        self._state.are_figures_stale |= has_changed or began >= self._state.recount_at
        if not self._state.are_figures_stale or began < self._state.figures_due:
            return False
        self._state.are_figures_stale = False
        before, self._state.figures = self._state.figures, await read_metrics(self._backend)
        now = self._loop.time()
        self._state.figures_due = now + pause_after(now - began)
        self._state.recount_at = now + RECOUNT_AFTER
        return self._state.figures != before

    def _publish(self, batch: Batch) -> None:
        self._state.batches.append(batch)
        self._state.next_number += 1
        self._announce()

    def _announce(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    def _report(self, error: Exception) -> None:
        if not self._has_failed:
            _logger.warning("otel_taskflow: live pages wait, the store's changes cannot be read: %s", error)
        self._has_failed = True

    # Start and stop

    def _hear_from_anywhere(self, report: HealthReport) -> None:
        """Another thread has looked at the health."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to be told
            self._loop.call_soon_threadsafe(self._hear, report)

    def _hear(self, report: HealthReport) -> None:
        self.vitals.take(report)
        self._announce()

    def _stop_from_anywhere(self) -> None:
        """A signal handler or another thread says that the process begins to stop."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to be told
            self._loop.call_soon_threadsafe(self._stop)

    def _stop(self) -> None:
        self._state.is_stopped = True
        self._announce()


def pause_after(cost: float) -> float:
    """Seconds in which figures that took ``cost`` seconds to count are not counted again."""
    return max(cost * _SHARE, min(cost * _SHARE * _SHARE, _STALE))


class Feeds:
    """A feed for each event loop of the process."""

    def __init__(self, backend: AdminBackend) -> None:
        self._backend = backend
        self._by_loop: dict[asyncio.AbstractEventLoop, Feed] = {}

    def here(self) -> Feed:
        """The running loop's feed."""
        loop = asyncio.get_running_loop()
        feed = self._by_loop.get(loop)
        if feed is None:
            for closed in [each for each in self._by_loop if each.is_closed()]:
                del self._by_loop[closed]
            feed = self._by_loop[loop] = Feed(self._backend)
        return feed
