"""Links that leave the dashboard, clicked: they open where the telemetry is, and what is opened learns nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from fastapi import Depends
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, use_span

from otel_taskflow import links
from tests.dashboard.conftest import Window, open_window
from tests.dashboard.shop import HOSTILE, Shop

pytest.importorskip("playwright")
from playwright.sync_api import Locator, Page, ViewportSize, expect

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.chromium, pytest.mark.once]

BACKENDS = "https://telemetry.example.com"
SIZES: list[ViewportSize] = [{"width": 375, "height": 812}, {"width": 1440, "height": 900}]
TEMPLATES = {
    **links.grafana(f"{BACKENDS}/grafana", service="shop"),
    **links.jaeger(f"{BACKENDS}/jaeger"),
    "Runbook": f"{BACKENDS}/runbooks?task={{task_name}}",
    HOSTILE[:60].replace("\u202e", ""): f"{BACKENDS}/hostile",
}
REQUEST = SpanContext(int("0af7651916cd43dd8448eb211c80319c", 16), int("b7ad6b7169203331", 16), True, TraceFlags(1))


class TracedShop(Shop):
    """Its requests have spans."""

    def _add(self) -> Any:
        add = super()._add()

        async def traced(name: str, number: int = 1, tasks: Any = Depends(self.manager.get_tasks)) -> Any:
            with use_span(NonRecordingSpan(REQUEST)):
                return await add(name, number, tasks=tasks)

        return traced


@pytest.fixture
def linked(browser: Browser, tmp_path: Path) -> Iterator[Window]:
    """A shop whose dashboard knows where the telemetry is."""
    with open_window(browser, TracedShop(tmp_path, links=TEMPLATES)) as window:
        window.page.context.route(f"{BACKENDS}/**", lambda route: route.fulfill(body="<title>there</title>"))
        yield window


def ready(window: Window, task_id: str, path: str = "") -> dict[str, Any]:
    """What the API says of a task."""
    answer = httpx.get(
        f"{window.server.base}/tasks/{task_id}{path}", headers={"authorization": f"Bearer {window.token}"}
    )
    found: dict[str, Any] = answer.raise_for_status().json()
    return found


def fact(page: Page, name: str) -> Locator:
    """A line of the task's facts."""
    return page.locator(".fact").filter(has=page.locator("dt", has_text=re.compile(f"^{name}$")))


def hrefs(place: Locator) -> dict[str, str]:
    """The links in a part of the page, by name."""
    found = place.locator(".deep-link")
    names = [re.sub(r" ↗.*", "", name) for name in found.all_text_contents()]
    return dict(zip(names, [str(each.get_attribute("href")) for each in found.all()], strict=True))


def opened(page: Page, name: str) -> Page:
    with page.expect_popup() as popup:
        page.get_by_role("link", name=name).first.click()
    popup.value.wait_for_load_state()
    return popup.value


def test_the_page_of_a_task_links_to_what_the_api_says(linked: Window) -> None:
    page = linked.page
    task_id = linked.add("charge")
    linked.wait_until(task_id, "Success")
    task = ready(linked, task_id)
    expect(fact(page, "Elsewhere")).to_contain_text("Trace in Grafana")
    expect(fact(page, "Request")).to_contain_text("Trace in Jaeger")
    assert task["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert hrefs(fact(page, "Elsewhere")) == task["links"]
    assert hrefs(fact(page, "Request")) == task["request_links"]
    assert task["request_links"]["Trace in Jaeger"].endswith(f"{task['trace_id']}?uiFind=b7ad6b7169203331")


def test_each_attempt_links_to_its_own_span_and_lines(linked: Window) -> None:
    page = linked.page
    task_id = linked.add("flaky")
    linked.wait_until(task_id, "Success")
    attempts = ready(linked, task_id)["attempts"]
    assert len({each["links"]["Trace in Jaeger"] for each in attempts}) == 3
    for attempt in attempts:
        linked.open(f"/tasks/{task_id}?tab=attempts&attempt={attempt['attempt_number']}")
        expect(page.get_by_role("heading", name=f"Attempt {attempt['attempt_number']}")).to_be_visible()
        assert hrefs(fact(page, "Elsewhere")) == attempt["links"]


def test_a_log_line_links_to_its_record_and_to_its_attempts_span(linked: Window) -> None:
    page = linked.page
    task_id = linked.add("flaky")
    linked.wait_until(task_id, "Success")
    lines = ready(linked, task_id, "/logs?links=true")["entries"]
    linked.open(f"/tasks/{task_id}?tab=logs&line={lines[1]['seq']}")
    expect(page.locator(".line-detail")).to_be_visible()
    assert hrefs(page.locator(".line-detail")) == lines[1]["links"]
    assert page.locator(".log-lines a").count() == 0
    assert f"-1-{lines[1]['seq']}" in lines[1]["links"]["Line in Grafana"]


def test_a_link_opens_in_a_tab_of_its_own_that_knows_nothing_of_the_dashboard(linked: Window) -> None:
    page = linked.page
    task_id = linked.add("charge")
    linked.wait_until(task_id, "Success")
    here = page.url
    there = opened(page, "Trace in Jaeger")
    task = ready(linked, task_id)
    assert there.url == task["links"]["Trace in Jaeger"]
    assert there.title() == "there"
    assert there.evaluate("[document.referrer, window.opener]") == ["", None]
    assert page.url == here


def test_a_task_with_a_hostile_name_has_links_that_lead_where_they_should(linked: Window) -> None:
    page = linked.page
    task_id = linked.add("hostile")
    linked.wait_until(task_id, "Failed")
    assert page.locator("img").count() == 0
    assert opened(page, "Runbook").url == f"{BACKENDS}/runbooks?task=hostile"
    assert opened(page, "<img src=x").url == f"{BACKENDS}/hostile"


def test_from_a_trace_one_comes_to_its_task_and_from_there_to_the_others_of_the_trace(linked: Window) -> None:
    page = linked.page
    trace = f"{REQUEST.trace_id:032x}"
    first = linked.add("charge")
    linked.open(f"/trace/{trace}")
    expect(page.get_by_role("heading", name="charge")).to_be_visible()
    assert linked.path == f"/tasks/{first}"
    linked.add("refuse")
    linked.open(f"/trace/{trace}")
    expect(page.locator(".row-link")).to_have_text(["refuse", "charge"])
    assert linked.path == f"?trace_id={trace}"
    linked.open(f"/trace/{'f' * 32}")
    expect(page.get_by_role("heading", name="No task matches")).to_be_visible()
    page.get_by_role("link", name=re.compile("^trace f+")).click()
    expect(page.locator(".row-link")).to_have_text(["refuse", "charge"])
    assert linked.path == ""


def test_without_templates_the_ids_are_there_to_be_copied(window: Window) -> None:
    page = window.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    task_id = window.add("charge")
    window.wait_until(task_id, "Success")
    assert page.locator(".deep-link").count() == 0
    trace = str(ready(window, task_id)["trace_id"])
    expect(page.get_by_text(trace)).to_be_visible()
    page.get_by_role("button", name="Copy trace id").click()
    assert page.evaluate("navigator.clipboard.readText()") == trace
    window.open(f"/tasks/{task_id}?tab=logs&line=1")
    page.evaluate("navigator.clipboard.writeText('')")
    page.get_by_role("button", name="Copy trace id").click()
    expect(page.get_by_text("Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == trace


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: str(size["width"]))
def test_links_are_shown_without_scrolling_sideways(linked: Window, size: ViewportSize, scheme: str) -> None:
    page = linked.page
    page.set_viewport_size(size)
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    task_id = linked.add("flaky")
    linked.wait_until(task_id, "Success")
    for query in ("", "?tab=attempts", "?tab=logs&line=1"):
        linked.open(f"/tasks/{task_id}{query}")
        expect(page.locator(".deep-link").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
