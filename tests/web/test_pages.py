"""The shell page: its data, its links, and what stands there before the dashboard is built."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import anyio
import pytest
from fastapi import FastAPI

from otel_taskflow.web import api as api_module
from otel_taskflow.web import pages
from tests.web.parts import BEARER, HANGS, HOSTILE, Backend, attempt, client, make_app, task, write_retried_task

pytestmark = pytest.mark.anyio


class Scripts(HTMLParser):
    """Collects what a browser would see as scripts, links and handlers."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.scripts: list[dict[str, str | None]] = []
        self.handlers: list[str] = []
        self.urls: list[str] = []
        self.data = ""
        self._in_data = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.handlers += [name for name in given if name.startswith("on")]
        self.urls += [str(given[name]) for name in ("src", "href") if name in given]
        if tag == "script":
            self.scripts.append(given)
            self._in_data = given.get("id") == "data"

    def handle_endtag(self, tag: str) -> None:
        self._in_data = self._in_data and tag != "script"

    def handle_data(self, data: str) -> None:
        self.data += data if self._in_data else ""


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "manifest.json").write_text(json.dumps({"script": "app.1.js", "style": "app.1.css"}))
    (tmp_path / "app.1.js").write_text("export {};")
    (tmp_path / "app.1.css").write_text("body {}")
    monkeypatch.setattr(pages, "STATIC", tmp_path)
    return tmp_path


async def open_page(app: FastAPI, path: str, **transport: Any) -> tuple[Any, Scripts]:
    async with client(app, BEARER, **transport) as browser:
        answer = await browser.get(path)
    return answer, Scripts(answer.text)


async def test_where_it_was_not_built_the_page_says_how_to(
    backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "STATIC", tmp_path / "nothing")
    app = make_app(backend)
    answer, _ = await open_page(app, "/tasks/dashboard")
    assert answer.status_code == 503
    assert "make ui" in answer.text
    assert (await open_page(app, "/tasks/dashboard/static/app.1.js"))[0].status_code == 404


@pytest.mark.usefixtures("built")
async def test_the_list_page_carries_the_first_tasks_and_figures(backend: Backend) -> None:
    write_retried_task(backend)
    answer, seen = await open_page(make_app(backend, title="Shop"), "/tasks/dashboard")
    data = json.loads(seen.data)
    assert answer.status_code == 200
    assert {"base", "title", "version", "initial", "health", "links"} == set(data)
    assert data["health"]["state"] == "ok"
    assert (data["base"], data["title"]) == ("/tasks", "Shop")
    assert [each["task_id"] for each in data["initial"]["tasks"]] == ["t1"]
    assert data["initial"]["metrics"]["total"] == 1
    assert data["initial"]["change"] == 1


@pytest.mark.usefixtures("built")
async def test_the_page_of_a_task_carries_it_and_an_unknown_one_is_a_404(backend: Backend) -> None:
    write_retried_task(backend)
    app = make_app(backend)
    _, seen = await open_page(app, "/tasks/dashboard/tasks/t1")
    assert len(json.loads(seen.data)["initial"]["task"]["attempts"]) == 3
    answer, seen = await open_page(app, "/tasks/dashboard/tasks/nobody")
    assert (answer.status_code, json.loads(seen.data)["initial"]["task"]) == (404, None)


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("path", ["/tasks/dashboard", "/tasks/dashboard/tasks/t1"])
@pytest.mark.parametrize("prefix", ["", "/prefix"])
async def test_all_its_files_are_found_behind_any_prefix(backend: Backend, path: str, prefix: str) -> None:
    write_retried_task(backend)
    app = make_app(backend)
    answer, seen = await open_page(app, prefix + path, root_path=prefix)
    assert json.loads(seen.data)["base"] == f"{prefix}/tasks"
    for url in seen.urls:
        if not url.startswith("data:"):
            found, _ = await open_page(app, answer.url.join(url).path, root_path=prefix)
            assert found.status_code == 200


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("path", ["/tasks/dashboard", "/tasks/dashboard/tasks/t1"])
async def test_hostile_names_and_messages_stay_data(backend: Backend, path: str) -> None:
    row = task(name=HOSTILE, tags={HOSTILE: HOSTILE}, attempts=1, reason=HOSTILE)
    backend.write([row], [attempt(0, worker=HOSTILE)])
    answer, seen = await open_page(make_app(backend, title=HOSTILE), path)
    data = json.loads(seen.data)
    shown = data["initial"].get("task") or data["initial"]["tasks"][0]
    assert (data["title"], shown["func_name"], shown["tags"]) == (HOSTILE, HOSTILE, {HOSTILE: HOSTILE})
    assert [script.get("type") for script in seen.scripts] == ["application/json", "module"]
    assert seen.handlers == []
    assert not re.search(r"<script>|<img|style=", answer.text)


@pytest.mark.usefixtures("built")
async def test_a_store_that_cannot_be_read_still_gives_a_page(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    from otel_taskflow.errors import StoreError

    def broken() -> Any:
        raise StoreError("tasks.db: disk I/O error")

    monkeypatch.setattr(backend, "reader", broken)
    answer, seen = await open_page(make_app(backend), "/tasks/dashboard")
    assert (answer.status_code, json.loads(seen.data)["initial"]) == (200, None)
    failed, _ = await open_page(make_app(backend), "/tasks")
    assert (failed.status_code, failed.json()) == (503, {"detail": "tasks.db: disk I/O error"})


@pytest.mark.usefixtures("built")
@HANGS
@pytest.mark.parametrize("path", ["/tasks/dashboard", "/tasks/dashboard/tasks/t1"])
async def test_a_page_over_a_store_that_hangs_comes_without_data(
    backend: Backend, monkeypatch: pytest.MonkeyPatch, path: str, part: str, hanging: Any
) -> None:
    monkeypatch.setattr(backend, part, hanging)
    monkeypatch.setattr(api_module, "READ_TIMEOUT", 0.05)
    with anyio.fail_after(5):
        answer, seen = await open_page(make_app(backend), path)
    assert (answer.status_code, json.loads(seen.data)["initial"]) == (200, None)


async def test_files_outside_of_the_built_ones_are_not_served(backend: Backend, built: Path) -> None:
    (built.parent / "secret").write_text("secret")
    app = make_app(backend)
    for path in ("../secret", "%2e%2e/secret", "..%2fsecret", "%2Fetc%2Fpasswd"):
        answer, _ = await open_page(app, f"/tasks/dashboard/static/{path}")
        assert answer.status_code in (401, 404)
