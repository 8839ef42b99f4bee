"""Links to where the telemetry is, in the answers of the API and in the page's data."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from otel_taskflow import ConfigurationError
from otel_taskflow.model import SpanIdentity
from otel_taskflow.web import pages
from tests.web.parts import NOON, Backend, get, make_app, task, write_retried_task

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


def test_a_template_that_cannot_be_used_stops_the_app_from_being_made(backend: Backend) -> None:
    with pytest.raises(ConfigurationError, match=r"TaskAdmin\(links=\{'Ours': 'javascript:x'\}\)"):
        make_app(backend, links={"Ours": "javascript:x"})
