"""The list of tasks while things happen in the app."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.dashboard.conftest import Window, forget_finished_tasks, open_window
from tests.dashboard.shop import Shop

pytest.importorskip("playwright")
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.chromium, pytest.mark.once]


def test_a_name_can_be_typed_while_tasks_are_added(window: Window) -> None:
    page = window.page
    rows = page.locator(".row-link")
    window.add("refuse")
    expect(rows).to_have_count(1)
    box = page.get_by_label("Task name")
    box.press_sequentially("cha")
    window.add("charge")
    expect(rows).to_have_count(2)
    expect(box).to_have_value("cha")
    box.press_sequentially("rge")
    page.keyboard.press("Enter")
    expect(rows).to_have_text(["charge"])
    page.go_back()
    expect(rows).to_have_count(2)
    expect(box).to_have_value("")


def test_the_way_back_from_a_task_far_down_leads_to_its_place(window: Window) -> None:
    page = window.page
    rows = page.locator(".row-link")
    window.add("charge", times=260)
    window.open()
    expect(rows).to_have_count(50)
    for shown in (150, 250):
        page.get_by_role("button", name="Show more").click()
        expect(rows).to_have_count(shown)
    row = rows.nth(245)
    place = row.get_attribute("id")
    row.click()
    expect(page.locator(".head-state .status")).to_have_text("Success")
    window.add("refuse")
    with page.expect_response("**/tasks?limit=*"):
        page.go_back()
    expect(rows.first).to_have_text("refuse")
    expect(rows).to_have_count(250)
    expect(page.locator(f"[id='{place}']")).to_be_focused()
    expect(page.locator(f"[id='{place}']")).to_be_in_viewport()
    page.get_by_role("button", name="Show more").click()
    expect(rows).to_have_count(261)


def test_a_trace_shows_the_tasks_whose_attempts_are_of_it(browser: Browser, tmp_path: Path) -> None:
    with open_window(browser, Shop(tmp_path, trace_mode="link")) as window:
        page = window.page
        task_id = window.add("charge")
        window.add("refuse")
        window.wait_until(task_id, "Success")
        task = window.ask(f"/tasks/{task_id}").json()
        [attempt] = task["attempts"]
        assert attempt["trace_id"] != task["trace_id"]
        for trace_id in (attempt["trace_id"], task["trace_id"]):
            window.open(f"?trace_id={trace_id}")
            expect(page.locator(".row-link")).to_have_text(["charge"])


def test_what_retention_takes_leaves_the_list(window: Window, tmp_path: Path) -> None:
    page = window.page
    page.clock.install()
    window.add("charge", times=60)
    window.open()
    expect(page.locator(".row-link")).to_have_count(50)
    page.get_by_role("button", name="Show more").click()
    expect(page.locator(".row-link")).to_have_count(60)
    page.evaluate("scrollTo(0, 0)")
    forget_finished_tasks(tmp_path)
    page.clock.fast_forward(50_000)
    window.add("refuse")
    expect(page.locator(".row-link")).to_have_count(61)
    page.clock.fast_forward(11_000)
    expect(page.locator(".row-link")).to_have_text(["refuse"])
