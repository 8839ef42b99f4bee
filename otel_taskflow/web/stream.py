"""The live stream: server-sent events by deltas, resumed by ``Last-Event-ID``."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from otel_taskflow.model import AttemptRow, LogRow, TaskRow
from otel_taskflow.web.api import Api, in_time, read_metrics
from otel_taskflow.web.feed import Batch, Feed, Feeds
from otel_taskflow.web.guard import IDENTITY, RECHECK
from otel_taskflow.web.questions import StreamQuestion
from otel_taskflow.web.responses import refusal, to_json
from otel_taskflow.web.views import attempt_json, brief_json, log_json

_logger = logging.getLogger("otel_taskflow")

MAX_STREAMS = 64
MAX_STREAMS_A_CLIENT = 16
RECHECK_AFTER = 60.0
"""Seconds after which a stream asks again whether it may go on."""
MAX_LINES = 10_000
"""New lines of a task within a tick; beyond it the page is told to reload."""
_LINES_AN_EVENT = 500
_MAX_CATCH_UP = 200
_MAX_CHANGES = 1000
_REMEMBERED_LINES = 4000


class StreamLimit:
    """How many streams are open, in total and by client."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()
        self._lock = threading.Lock()

    def enter(self, client: str) -> bool:
        """Take a place; False if there is none."""
        with self._lock:
            if self._open.total() >= MAX_STREAMS or self._open[client] >= MAX_STREAMS_A_CLIENT:
                return False
            self._open[client] += 1
            return True

    def leave(self, client: str) -> None:
        """Give the place back."""
        with self._lock:
            self._open[client] -= 1
            if not self._open[client]:
                del self._open[client]


class Streams:
    """The endpoint of the live stream."""

    def __init__(self, api: Api, poll_interval: float) -> None:
        self._api = api
        self._poll_interval = poll_interval
        self._feeds = Feeds(api.backend)
        self._limit = StreamLimit()

    async def open(self, request: Request, question: Annotated[StreamQuestion, Query()]) -> Response:
        """Answer with the stream, or 503 when too many are open or the store does not answer."""
        if question.task is not None:
            await in_time(self._see(question.task))
        resume_from = _resume_from(request.headers.get("last-event-id"), question.after)
        client = request.scope[IDENTITY].client or str((request.scope.get("client") or ("?",))[0])
        if not self._limit.enter(client):
            return refusal(503, "Too many live streams are open; close some pages.", {"retry-after": "5"})
        feed = self._feeds.here()
        try:
            await in_time(feed.join())
        except BaseException:
            self._limit.leave(client)
            raise
        stream = _Stream(
            api=self._api,
            feed=feed,
            task_id=question.task,
            resume_from=resume_from,
            wants_figures=question.health,
            keep_alive=self._poll_interval,
            is_still_welcome=request.scope[RECHECK],
        )

        async def leave() -> None:
            self._limit.leave(client)
            await feed.leave()

        return _EventStream(stream.events(), leave)

    async def _see(self, task_id: str) -> None:
        """Raises a 404 for a task that nobody knows, not even those who have just been told its id."""
        await self._api.caught_up()
        await self._api.find(task_id)


class _EventStream(StreamingResponse):
    """Closes its generator and gives its place back, however it ends."""

    def __init__(self, events: AsyncIterator[str], leave: Callable[[], Awaitable[None]]) -> None:
        headers = {"x-accel-buffering": "no", "cache-control": "no-store, no-transform"}
        super().__init__(events, media_type="text/event-stream", headers=headers)
        self._events: Any = events
        self._leave = leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            try:
                await self._events.aclose()
            finally:
                await self._leave()


@dataclass
class _Stream:
    """One open stream. Who reads slowly slows down nobody else, and reloads when too far behind."""

    api: Api
    feed: Feed
    task_id: str | None
    resume_from: int | None
    wants_figures: bool
    """Of health: all parts with their figures, not only what is not well."""
    keep_alive: float
    is_still_welcome: Callable[[], Awaitable[bool]]
    _shown: int = field(init=False, default=0)
    _logs_after: int = field(init=False, default=0)
    _recent: deque[int] = field(init=False, default_factory=lambda: deque(maxlen=_REMEMBERED_LINES))
    _health_told: int = field(init=False, default=0)
    _known: dict[int, int] = field(init=False, default_factory=dict)
    """By attempt: a digest of what the page knows of it."""

    async def events(self) -> AsyncIterator[str]:
        """The events as text, until the process stops, the client goes or is no longer welcome."""
        try:
            async for event in self._follow():
                yield event
        except Exception as error:  # noqa: BLE001 - whatever the store does, the page connects again and resumes
            _logger.warning("otel_taskflow: a live stream ended: %s", error)

    async def _follow(self) -> AsyncIterator[str]:
        number, self._shown = self.feed.next_number, self.feed.position
        self._logs_after = self._shown if self.resume_from is None else self.resume_from
        for event in await in_time(self._greet()):
            yield event
        loop = asyncio.get_running_loop()
        recheck_at = loop.time() + RECHECK_AFTER
        while not self.feed.is_stopped:
            patience = min(self.keep_alive, max(0.0, recheck_at - loop.time()))
            await self._wait(number, patience)
            if loop.time() >= recheck_at:
                if not await self.is_still_welcome():
                    return
                recheck_at = loop.time() + RECHECK_AFTER
            told = "".join(self._health_news())
            if told:
                yield told
            texts, number = await in_time(self._news(number))
            if texts or not told:
                yield "".join(texts) or self._sign_of_life()

    async def _wait(self, number: int, patience: float) -> None:
        """Until there is something to say: a batch of this number, or another state of health."""
        deadline = asyncio.get_running_loop().time() + patience

        def is_over() -> bool:
            return number < self.feed.next_number or self._health_told < self._health_number()

        while not is_over() and not self.feed.is_stopped:
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                return
            await self.feed.wait(is_over, left)

    # What to say

    async def _greet(self) -> list[str]:
        # Health comes last: it carries the number of what was told before it.
        return [*await self._hello(), *await self._catch_up(), *self._health_news()]

    def _health_number(self) -> int:
        return self.feed.vitals.number(is_whole=self.wants_figures)

    def _health_news(self) -> list[str]:
        """How the parts are, if that is another state than the one that was told. Needs no store."""
        number = self._health_number()
        if number == self._health_told:
            return []
        self._health_told = number
        return [_event("health", self._shown, self.feed.vitals.told(is_whole=self.wants_figures))]

    async def _hello(self) -> list[str]:
        change = self._shown if self.resume_from is None else self.resume_from
        metrics = await read_metrics(self.api.backend)
        told = {"change": self._shown, "metrics": metrics, "alive_every": self.keep_alive}
        return ["retry: 1000\n\n", _event("hello", change, told)]

    def _sign_of_life(self) -> str:
        """An event, not a comment: browsers tell a page nothing of comments."""
        return _event("alive", self._shown, {})

    async def _catch_up(self) -> list[str]:
        """What was missed between the last event of the earlier connection and now."""
        if self.resume_from is None:
            return []
        after, until = self.resume_from, self._shown
        if self.task_id is not None:
            await self._take_for_known(self.task_id, after)
        missed = await self._missed(after, until)
        if missed is None:
            return self._resync(until)
        reader = self.api.backend.reader()
        details = [await reader.get_task(task_id) for task_id in missed]
        rows = [detail.task for detail in details if detail is not None]
        self._shown = after
        return await self._describe(max(after, until), missed, rows, await read_metrics(self.api.backend))

    async def _missed(self, after: int, until: int) -> frozenset[str] | None:
        """Tasks that changed in between; None when that cannot be known or would be too many to tell."""
        reader = self.api.backend.reader()
        is_of_another_store = after > await reader.last_change()
        is_forgotten = await reader.first_change() > after + 1
        if is_of_another_store or is_forgotten:
            return None
        changes = await reader.changes(after, _MAX_CHANGES)
        ids = frozenset(each.task_id for each in changes if each.seq <= until)
        is_too_much = len(ids) > _MAX_CATCH_UP or (len(changes) == _MAX_CHANGES and changes[-1].seq < until)
        return None if is_too_much else ids

    async def _news(self, number: int) -> tuple[list[str], int]:
        texts: list[str] = []
        while number < self.feed.next_number:
            batch = self.feed.batch(number)
            if batch is None or batch.is_lossy:
                return self._resync(self.feed.position), self.feed.next_number
            texts += await self._tell(batch)
            number += 1
        return texts, number

    async def _tell(self, batch: Batch) -> list[str]:
        return await self._describe(max(self._shown, batch.change), batch.changed, batch.tasks, batch.metrics)

    async def _describe(
        self, change: int, changed: frozenset[str], rows: Sequence[TaskRow], metrics: dict[str, Any]
    ) -> list[str]:
        """Only the last event of a change carries its number: a connection cut in between misses nothing."""
        events: list[tuple[str, dict[str, Any]]] = []
        if self.task_id is not None and self.task_id in changed:
            lines = await self._new_lines(self.task_id)
            if lines is None:
                return self._resync(change)
            events += self._log_events(lines)
            events += await self._attempts(self.task_id)
        tasks = [brief_json(row, self.api.redact) for row in rows]
        events.append(("tasks", {"tasks": tasks, "metrics": metrics}))
        before, self._shown = self._shown, change
        last = len(events) - 1
        return [_event(name, change if index == last else before, data) for index, (name, data) in enumerate(events)]

    def _resync(self, change: int) -> list[str]:
        self._shown = self._logs_after = change
        return [_event("resync", change, {})]

    # The task's own page

    async def _new_lines(self, task_id: str) -> list[LogRow] | None:
        """Lines not yet sent, or None when they are too many."""
        reader = self.api.backend.reader()
        before = await reader.last_change()
        lines = await reader.get_new_logs(task_id, self._logs_after, MAX_LINES)
        if len(lines) == MAX_LINES:
            return None
        self._logs_after = before
        recent = set(self._recent)
        fresh = [line for line in lines if line.seq not in recent]
        self._recent.extend(line.seq for line in fresh)
        return fresh

    def _log_events(self, lines: Sequence[LogRow]) -> list[tuple[str, dict[str, Any]]]:
        pieces = [lines[start : start + _LINES_AN_EVENT] for start in range(0, len(lines), _LINES_AN_EVENT)]
        return [("logs", {"task_id": self.task_id, "entries": [log_json(line) for line in piece]}) for piece in pieces]

    async def _take_for_known(self, task_id: str, after: int) -> None:
        """Attempts that have not changed since the page was made, or was told, are not told again."""
        reader = self.api.backend.reader()
        detail = await reader.get_task(task_id)
        changes = await reader.changes(after, _MAX_CHANGES)
        if detail is not None and len(changes) < _MAX_CHANGES and task_id not in {each.task_id for each in changes}:
            self._changed(detail.attempts)

    async def _attempts(self, task_id: str) -> list[tuple[str, dict[str, Any]]]:
        detail = await self.api.backend.reader().get_task(task_id)
        changed = [] if detail is None else self._changed(detail.attempts)
        if not changed:
            return []
        return [("attempts", {"task_id": task_id, "attempts": [attempt_json(each) for each in changed]})]

    def _changed(self, attempts: Sequence[AttemptRow]) -> list[AttemptRow]:
        """Those that the page does not know as they are; from now on it does."""
        digests = {each.attempt: _digest(each) for each in attempts}
        changed = [each for each in attempts if self._known.get(each.attempt) != digests[each.attempt]]
        self._known.update(digests)
        return changed


def _digest(row: AttemptRow) -> int:
    """How many lines a running attempt has is no news of its own: the lines are."""
    return hash(row if row.outcome else row._replace(log_count=0))


def _event(name: str, change: int, data: dict[str, Any]) -> str:
    return f"id: {change}\nevent: {name}\ndata: {to_json(data)}\n\n"


def _resume_from(last_event_id: str | None, after: int | None) -> int | None:
    """The header wins: a browser sends it when it connects again to an address that has ``after``."""
    if not last_event_id:
        return after
    if not (last_event_id.isascii() and last_event_id.isdigit() and len(last_event_id) < 20):
        raise HTTPException(422, f"Last-Event-ID {last_event_id[:40]!r} is not one of this stream's ids")
    return int(last_event_id)
