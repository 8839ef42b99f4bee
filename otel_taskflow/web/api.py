"""The JSON API: tasks, logs, metrics, and the two verbs."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Query, Request
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse

from otel_taskflow.errors import ConfigurationError, StoreError
from otel_taskflow.model import TaskFilter, TaskRow
from otel_taskflow.ports import TaskDetail
from otel_taskflow.web.backend import AdminBackend
from otel_taskflow.web.deep_links import DeepLinks
from otel_taskflow.web.guard import IDENTITY
from otel_taskflow.web.health import report_json
from otel_taskflow.web.logs import LogQuestion, parse_position, read_lines, read_page, stream_text
from otel_taskflow.web.questions import ListQuestion, LogsQuestion, NoQuestion, tag_of
from otel_taskflow.web.responses import Json, refusal
from otel_taskflow.web.views import Redact, detail_json, lines_with_links, log_json, metrics_json, task_json, with_links

BEHIND = "x-taskflow-behind"
CUT = "x-taskflow-logs-truncated"
READ_TIMEOUT = 10.0
"""Seconds that a read may take."""
_T = TypeVar("_T")
_TASK_ID = re.compile(r"[A-Za-z0-9._:-]{1,200}")

TaskId = Annotated[str, Path(description="The id that add_task returned.")]
_RESERVED: Sequence[tuple[str, str, str, str]] = (
    ("GET", "/audit", "An audit log", "a task's `reason` and `retried_as` say what was done with it"),
    ("GET", "/queues", "A queue with a name", "`max_concurrent_tasks` of the manager limits all tasks together"),
    (
        "PATCH",
        "/queues/{name}",
        "A queue with a name",
        "`max_concurrent_tasks` of the manager limits all tasks together",
    ),
    ("POST", "/bulk-retry", "A retry of many tasks", "POST {id}/retry for each of them"),
    ("POST", "/retry-failed", "A retry of many tasks", "list them with ?status=failed and POST {id}/retry for each"),
    ("DELETE", "/history", "Deletion by hand", "`retention_days` of the manager says when tasks are deleted"),
    ("GET", "/auth/login", "A login page", "open the link that is printed at start-up, or give TaskAdmin auth="),
    ("POST", "/auth/login", "A login page", "open the link that is printed at start-up, or give TaskAdmin auth="),
    ("GET", "/auth/logout", "A logout", "sessions end after `token_expiry`, or all together with a new token"),
)
"""What fastapi-taskflow has and this does not: method, path, what it is, what to do instead."""


@dataclass(frozen=True)
class Api:
    """The endpoints. ``redact`` is None when arguments are not shown."""

    backend: AdminBackend
    redact: Redact | None = None
    links: DeepLinks = field(default_factory=DeepLinks)

    def router(self, answers: Mapping[str, Mapping[str, Any]] = MappingProxyType({})) -> APIRouter:
        """The routes, relative to the admin's path; fixed names before ids. ``answers``: what a document says, by endpoint."""
        router = APIRouter(tags=["tasks"], route_class=_ReadInTime)

        def add(method: str, path: str, endpoint: Callable[..., Any], name: str, **more: Any) -> None:
            said = {"response_model": None, **answers.get(endpoint.__name__, {}), **more}
            router.add_api_route(path, endpoint, methods=[method], name=name, **said)

        add("GET", "", self.list_tasks, "List tasks")
        add("GET", "/metrics", self.metrics, "Metrics")
        add("GET", "/health", self.health, "Health")
        for method, path, what, instead in _RESERVED:
            add(method, path, _refuse(what, instead), what, include_in_schema=False)
        add("GET", "/{task_id}", self.task, "One task")
        add("GET", "/{task_id}/logs", self.logs, "Log lines")
        add("GET", "/{task_id}/logs.txt", self.logs_text, "Log as text", response_class=Response)
        add("POST", "/{task_id}/cancel", self.cancel, "Cancel")
        add("POST", "/{task_id}/retry", self.retry, "Retry")
        return router

    # Reading

    async def list_tasks(self, question: Annotated[ListQuestion, Query()]) -> Response:
        """Tasks, newest first. The `Link` header leads to the next page."""
        headers = await self.caught_up()
        where = TaskFilter(question.status, question.func_name, tag_of(question.tag), trace_id=question.trace_id)
        try:
            page = await self.backend.reader().list_tasks(where, question.limit, question.cursor)
        except ConfigurationError as error:
            if question.cursor is None:
                raise RuntimeError("the store refuses to list tasks, and not for a cursor: none was given") from error
            raise HTTPException(422, f"cursor={question.cursor!r} is none of this list's cursors") from error
        if page.cursor is not None:
            headers["link"] = f'<?{_next_query(question, page.cursor)}>; rel="next"'
        return Json([task_json(row, self.redact) for row in page.tasks], headers=headers)

    async def metrics(self, _question: Annotated[NoQuestion, Query()]) -> Response:
        """How many tasks are in each state, share of successes, mean duration."""
        headers = await self.caught_up()
        return Json(await read_metrics(self.backend), headers=headers)

    async def health(self, _question: Annotated[NoQuestion, Query()]) -> Response:
        """How journal, store, consumers, spool, destinations and observers of the process that answers are."""
        return Json(report_json(await asyncio.to_thread(self.backend.health)))

    async def task(self, task_id: TaskId, _question: Annotated[NoQuestion, Query()]) -> Response:
        """One task with its attempts and its log as lines, up to 10,000 or 4 Mi characters (then a header says so)."""
        headers = await self.caught_up()
        detail = await self.find(task_id, headers)
        log = await read_lines(self.backend.reader(), task_id, detail.attempts)
        if log.is_cut:
            headers[CUT] = f"shown={log.lines}; total={max(detail.task.log_count, log.lines)}"
        answer = detail_json(detail.task, detail.attempts, log.texts, self.redact)
        return Json(with_links(answer, detail, self.links, time.time_ns()), headers=headers)

    async def logs(self, task_id: TaskId, question: Annotated[LogsQuestion, Query()]) -> Response:
        """Log lines by page, in order of attempt and sequence number."""
        headers = await self.caught_up()
        detail = await self.find(task_id, headers)
        attempt = None if question.attempt is None else question.attempt - 1
        try:
            wanted = LogQuestion(question.limit, parse_position(question.after), question.level, attempt)
        except ValueError as error:
            raise HTTPException(422, f"after={question.after!r} cannot be used: {error}") from error
        page = await read_page(self.backend.reader(), task_id, len(detail.attempts), wanted)
        entries = [log_json(row) for row in page.lines]
        if question.links:
            entries = lines_with_links(entries, detail, page.lines, self.links)
        return Json({"entries": entries, "cursor": page.cursor}, headers=headers)

    async def logs_text(self, task_id: TaskId, _question: Annotated[NoQuestion, Query()]) -> Response:
        """The whole log as plain text, one line an entry."""
        headers = await self.caught_up()
        detail = await self.find(task_id, headers)
        text = stream_text(self.backend.reader(), task_id, len(detail.attempts))
        encoded = (piece.encode("utf-8", "backslashreplace") async for piece in text)
        return StreamingResponse(encoded, headers=headers, media_type="text/plain; charset=utf-8")

    # Verbs

    async def cancel(self, task_id: TaskId, request: Request, _question: Annotated[NoQuestion, Query()]) -> Response:
        """Cancel a pending, running or waiting task."""
        return self._done(await self._obey(self.backend.cancel, task_id, request))

    async def retry(self, task_id: TaskId, request: Request, _question: Annotated[NoQuestion, Query()]) -> Response:
        """Run a finished task again as a new task; `task_id` is the new one's."""
        return self._done(await self._obey(self.backend.retry, task_id, request))

    async def _obey(self, verb: Callable[[str, str], Awaitable[TaskRow]], task_id: str, request: Request) -> TaskRow:
        _check_id(task_id)
        return await verb(task_id, request.scope[IDENTITY].actor)

    def _done(self, row: TaskRow) -> Response:
        return Json({"task_id": row.task_id, "task": task_json(row, self.redact)})

    # Steps

    async def caught_up(self) -> dict[str, str]:
        """Wait until what was acknowledged can be read; headers that say how far behind the answer is."""
        behind = await self.backend.level()
        return {BEHIND: str(behind)} if behind > 0 else {}

    async def find(self, task_id: str, headers: dict[str, str] | None = None) -> TaskDetail:
        """The task, or a 404 with these headers: what is not here may be on its way."""
        _check_id(task_id)
        detail = await self.backend.reader().get_task(task_id)
        if detail is None:
            raise HTTPException(404, "Task not found", headers)
        return detail


async def read_metrics(backend: AdminBackend) -> dict[str, Any]:
    """The figures of the store, and what this process has lost."""
    reader = backend.reader()
    return metrics_json(await reader.count_by_status(), await reader.average_duration(), backend.dropped)


async def in_time(reading: Awaitable[_T]) -> _T:
    """Give up a read that takes too long, so that a slow store does not pile up questions. Raises StoreError."""
    try:
        return await asyncio.wait_for(reading, READ_TIMEOUT)
    except asyncio.TimeoutError:
        raise StoreError(f"The store did not answer within {READ_TIMEOUT:g} s; ask for less, or later.") from None


class _ReadInTime(APIRoute):
    """Reads in time. Verbs run to their end."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()
        if "GET" not in (self.methods or ()):
            return handler

        async def handle(request: Request) -> Response:
            return await in_time(handler(request))

        return handle


def _refuse(what: str, instead: str) -> Callable[[], Awaitable[Response]]:
    async def answer() -> Response:
        return refusal(501, f"{what} is not in this release; {instead}.")

    return answer


def _check_id(task_id: str) -> None:
    if not _TASK_ID.fullmatch(task_id):
        raise HTTPException(404, "Task not found")


def _next_query(question: ListQuestion, cursor: str) -> str:
    return urlencode({**question.model_dump(mode="json", exclude_unset=True, exclude_none=True), "cursor": cursor})
