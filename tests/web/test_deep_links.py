"""Links to where the telemetry is, in the answers of the API and in the page's data."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urljoin

import pytest

from otel_taskflow import ConfigurationError
from otel_taskflow.model import SpanIdentity
from otel_taskflow.web import pages
from tests.web.parts import NOON, Backend, client, get, make_app, task, write_retried_task

TRACE = "0af7651916cd43dd8448eb211c80319c"
pytestmark = pytest.mark.anyio

TEMPLATES = {
    "Trace": "https://traces.example.com/{trace_id}?span={span_id}",
    "Line": "https://logs.example.com/{task_id}/{attempt_number}/{line}",
}


async def test_a_task_and_its_attempts_carry_links_that_are_ready(backend: Backend) -> None:
    write_retried_task(backend)
    found = (await get(backend, "/tasks/t1", links=TEMPLATES)).json()
    assert found["links"] == {"Trace": f"https://traces.example.com/{'a' * 32}?span={'b' * 16}"}
    assert found["request_links"] == {}
    assert [each["links"]["Trace"] for each in found["attempts"]] == [
        f"https://traces.example.com/{number:032x}?span={number:016x}" for number in (1, 2, 3)
    ]


async def test_the_request_is_linked_to_where_there_was_one(backend: Backend) -> None:
    backend.write([task(span=SpanIdentity("a" * 32, "b" * 16, "c" * 16))])
    found = (await get(backend, "/tasks/t1", links=TEMPLATES)).json()
    assert found["parent_span_id"] == "c" * 16
    assert found["request_links"] == {"Trace": f"https://traces.example.com/{'a' * 32}?span={'c' * 16}"}


async def test_lines_carry_links_only_if_they_are_asked_for(backend: Backend) -> None:
    write_retried_task(backend)
    plain = (await get(backend, "/tasks/t1/logs", links=TEMPLATES)).json()["entries"]
    linked = (await get(backend, "/tasks/t1/logs?links=true&attempt=2", links=TEMPLATES)).json()["entries"]
    assert [each for each in plain if "links" in each] == []
    assert [each["links"] for each in linked] == [
        {
            "Trace": f"https://traces.example.com/{2:032x}?span={2:016x}",
            "Line": f"https://logs.example.com/t1/2/{line}",
        }
        for line in (3, 4)
    ]


async def test_without_templates_there_are_no_links(backend: Backend) -> None:
    write_retried_task(backend)
    found = (await get(backend, "/tasks/t1")).json()
    assert (found["links"], found["request_links"], found["attempts"][0]["links"]) == ({}, {}, {})


async def test_lists_are_not_made_longer_by_links(backend: Backend) -> None:
    write_retried_task(backend)
    [found] = (await get(backend, "/tasks", links=TEMPLATES)).json()
    assert "links" not in found


async def test_the_page_carries_the_templates_once(
    backend: Backend, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "manifest.json").write_text('{"script": "app.js", "style": "app.css"}')
    monkeypatch.setattr(pages, "STATIC", tmp_path)
    backend.write([task(created_at=NOON)])
    page = (await get(backend, "/tasks/dashboard/tasks/t1", links=TEMPLATES)).text
    block = re.search(r'<script type="application/json" id="data">(.*?)</script>', page)
    assert block is not None
    assert json.loads(block[1])["links"] == [
        {"name": "Trace", "template": TEMPLATES["Trace"], "place": "span"},
        {"name": "Line", "template": TEMPLATES["Line"], "place": "line"},
    ]
    assert page.count("traces.example.com") == 1


# From a trace to its task


async def ask(backend: Backend, trace_id: str) -> tuple[int, str]:
    """Status, and where the answer leads to."""
    asked = f"/tasks/dashboard/trace/{trace_id}"
    answer = await get(backend, asked)
    return answer.status_code, urljoin(asked, answer.headers.get("location", ""))


async def test_a_trace_leads_to_its_task(backend: Backend) -> None:
    backend.write([task("t1", span=SpanIdentity(TRACE, "b" * 16)), task("t2")])
    assert await ask(backend, TRACE) == (307, "/tasks/dashboard/tasks/t1")
    assert await ask(backend, TRACE.upper()) == (307, "/tasks/dashboard/tasks/t1")


async def test_the_trace_of_an_attempt_leads_to_its_task_too(backend: Backend) -> None:
    write_retried_task(backend)
    assert await ask(backend, f"{2:032x}") == (307, "/tasks/dashboard/tasks/t1")


async def test_a_trace_with_several_tasks_or_none_leads_to_the_list_of_them(backend: Backend) -> None:
    backend.write([task(name, span=SpanIdentity(TRACE, "b" * 16)) for name in ("t1", "t2")])
    assert await ask(backend, TRACE) == (307, f"/tasks/dashboard?trace_id={TRACE}")
    assert await ask(backend, "f" * 32) == (307, f"/tasks/dashboard?trace_id={'f' * 32}")
    listed = (await get(backend, f"/tasks?trace_id={TRACE}&status=pending")).json()
    assert [each["task_id"] for each in listed] == ["t2", "t1"]


@pytest.mark.parametrize("wrong", ["nonsense", "a" * 31, "g" * 32, "a" * 33])
async def test_what_is_no_trace_id_is_found_nowhere(backend: Backend, wrong: str) -> None:
    assert (await ask(backend, wrong))[0] == 404
    assert (await get(backend, f"/tasks?trace_id={wrong}")).status_code == 422


async def test_somebody_who_comes_from_a_trace_without_a_session_gets_a_page(backend: Backend) -> None:
    async with client(make_app(backend)) as anonymous:
        answer = await anonymous.get(f"/tasks/dashboard/trace/{TRACE}")
    assert (answer.status_code, answer.headers["content-type"]) == (401, "text/html; charset=utf-8")


def test_a_template_that_cannot_be_used_stops_the_app_from_being_made(backend: Backend) -> None:
    with pytest.raises(ConfigurationError, match=r"TaskAdmin\(links=\{'Ours': 'javascript:x'\}\)"):
        make_app(backend, links={"Ours": "javascript:x"})
