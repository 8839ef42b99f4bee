"""The dashboard's pages: one shell for every address, its data for a fast first paint, and the built files."""

from __future__ import annotations

import asyncio
import html
import json
import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from otel_taskflow.errors import TaskflowError
from otel_taskflow.model import TaskFilter
from otel_taskflow.web.api import Api, in_time, read_metrics
from otel_taskflow.web.health import report_json
from otel_taskflow.web.questions import ListQuestion
from otel_taskflow.web.responses import raw_page, to_json_for_html
from otel_taskflow.web.views import brief_json, detail_json

_logger = logging.getLogger("otel_taskflow")

_TRACE_ID = re.compile("[0-9A-Fa-f]{32}")
STATIC = Path(__file__).parent / "static"


class BuiltFiles(StaticFiles):
    """The dashboard's built files. Where it was not built there is no folder, and nothing is found."""

    def __init__(self) -> None:
        super().__init__(directory=STATIC, check_dir=False)

    async def check_config(self) -> None:
        """A missing folder is no error."""


class _Links(NamedTuple):
    """Relative to a page, so that no prefix in front of the app can be got wrong."""

    static: str
    home: str


class _Content(NamedTuple):
    initial: dict[str, Any] | None
    headers: dict[str, str]
    status: int = 200


_FROM_LIST = _Links(static="dashboard/static/", home="../")
_FROM_HEALTH = _Links(static="static/", home="../../")
_FROM_TASK = _Links(static="../static/", home="../../../")


@dataclass(frozen=True)
class Pages:
    """The endpoints of pages."""

    api: Api
    path: str
    title: str
    version: str

    async def list_page(self, request: Request) -> Response:
        """The list of tasks."""
        initial, headers = await self._initial(None)
        return await self._shell(request, _FROM_LIST, _Content(initial, headers))

    async def health_page(self, request: Request) -> Response:
        """How the parts are. Needs no store: it must be shown when there is none to be had."""
        return await self._shell(request, _FROM_HEALTH, _Content(None, {}))

    async def task_page(self, request: Request, task_id: str) -> Response:
        """One task; an unknown one is a 404 that the page explains."""
        initial, headers = await self._initial(task_id)
        is_unknown = initial is not None and initial["task"] is None
        return await self._shell(request, _FROM_TASK, _Content(initial, headers, 404 if is_unknown else 200))

    async def trace_page(self, request: Request, trace_id: str) -> Response:
        """From a trace to its task; to the list of them where there are several, or none."""
        if not _TRACE_ID.fullmatch(trace_id):
            raise HTTPException(404, "A trace id is 32 hexadecimal digits")
        where = TaskFilter(trace_id=trace_id.lower())
        await self.api.caught_up()
        found = (await in_time(self.api.backend.reader().list_tasks(where, 2))).tasks
        target = (
            f"../tasks/{quote(found[0].task_id)}" if len(found) == 1 else f"../../dashboard?trace_id={where.trace_id}"
        )
        return RedirectResponse(target, 307)

    # Steps

    async def _initial(self, task_id: str | None) -> tuple[dict[str, Any] | None, dict[str, str]]:
        """What the page shows first; None when it cannot be read: the page then asks by itself and says why."""
        try:
            return await in_time(self._read(task_id))
        except (TaskflowError, OSError):
            _logger.warning("otel_taskflow: the dashboard's first data cannot be read", exc_info=True)
            return None, {}

    async def _read(self, task_id: str | None) -> tuple[dict[str, Any], dict[str, str]]:
        headers = await self.api.caught_up()
        return await self._read_list() if task_id is None else await self._read_task(task_id), headers

    async def _read_list(self) -> dict[str, Any]:
        reader = self.api.backend.reader()
        change = await reader.last_change()
        page = await reader.list_tasks(TaskFilter(), ListQuestion.model_fields["limit"].default)
        tasks = [brief_json(row, self.api.redact) for row in page.tasks]
        return {
            "change": change,
            "tasks": tasks,
            "cursor": page.cursor,
            "metrics": await read_metrics(self.api.backend),
        }

    async def _read_task(self, task_id: str) -> dict[str, Any]:
        change = await self.api.backend.reader().last_change()
        try:
            detail = await self.api.find(task_id)
        except HTTPException:
            return {"change": change, "task": None}
        return {"change": change, "task": detail_json(detail.task, detail.attempts, [], self.api.redact)}

    async def _shell(self, request: Request, links: _Links, content: _Content) -> Response:
        built = self._manifest()
        title, api = html.escape(self.title), html.escape(links.home + self.path.rpartition("/")[2])
        if built is None:
            return raw_page("unbuilt.html", 503, {"title": title, "api": api}, content.headers)
        parts = {
            "title": title,
            "api": api,
            "script": html.escape(links.static + built["script"]),
            "style": html.escape(links.static + built["style"]),
            "data": to_json_for_html(await self._data(request, content.initial)),
        }
        return raw_page("shell.html", content.status, parts, content.headers)

    async def _data(self, request: Request, initial: dict[str, Any] | None) -> dict[str, Any]:
        base = request.scope.get("root_path", "").rstrip("/") + self.path
        health = report_json(await asyncio.to_thread(self.api.backend.health))
        return {
            "base": base,
            "title": self.title,
            "version": self.version,
            "initial": initial,
            "health": health,
            "links": self.api.links.templates(),
        }

    def _manifest(self) -> dict[str, str] | None:
        try:
            manifest = json.loads((STATIC / "manifest.json").read_text(encoding="utf-8"))
            return {name: str(manifest[name]) for name in ("script", "style")}
        except (OSError, ValueError, KeyError, TypeError):
            return None


async def without_slash(request: Request) -> Response:
    """The same address without the slash at its end, as a path relative to itself."""
    last = request.scope["path"].rstrip("/").rpartition("/")[2]
    query = request.scope.get("query_string", b"").decode("latin-1")
    return RedirectResponse(f"../{quote(last, safe='')}" + (f"?{query}" if query else ""), 307)
