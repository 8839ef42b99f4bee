"""The log of a task, filtered and by keyboard."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.dashboard.conftest import Window, open_window
from tests.dashboard.shop import Shop

pytest.importorskip("playwright")
from playwright.sync_api import Route, expect

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.chromium, pytest.mark.once]


def test_lines_that_come_while_a_filtered_log_is_read_are_shown(browser: Browser, tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    with open_window(browser, shop) as window:
        page = window.page
        task_id = window.add("talk", 7)

        def hold(route: Route) -> None:
            """An answer that is on its way while another line is written and told."""
            answer = route.fetch()
            expect(page.get_by_text("Live")).to_be_visible()
            shop.may_go_on.set()
            expect(page.locator(".head-state .status")).to_have_text("Success")
            route.fulfill(response=answer)

        page.route("**/logs?*level=info*", hold)
        window.open(f"/tasks/{task_id}?tab=logs&level=info")
        expect(page.locator(".log-message")).to_have_text(["First word of 7", "Last word of 7"])


def test_an_address_leads_to_a_line_far_down_a_filtered_log(window: Window) -> None:
    page = window.page
    task_id = window.add("report", 6000)
    window.wait_until(task_id, "Success")
    window.open(f"/tasks/{task_id}?tab=logs&level=info&line=5501")
    expect(page.locator(".log-row.selected")).to_be_in_viewport()
    expect(page.locator(".log-row.selected")).to_contain_text("Row 5501")
    expect(page.get_by_role("complementary", name="Line 5501")).to_be_visible()


def test_lines_are_opened_by_keyboard_alone(window: Window) -> None:
    page = window.page
    task_id = window.add("report", 300)
    window.wait_until(task_id, "Success")
    window.open(f"/tasks/{task_id}?tab=logs")
    expect(page.get_by_text("Row 1", exact=True)).to_be_visible()
    lines = page.get_by_role("table", name="Log lines")
    page.get_by_role("link", name="Plain text").focus()
    page.keyboard.press("Tab")
    expect(lines).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("complementary", name="Line 1", exact=True)).to_be_visible()
    for key in ("ArrowDown", "ArrowDown", "ArrowUp"):
        page.keyboard.press(key)
    expect(page.get_by_role("complementary", name="Line 2", exact=True)).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("complementary")).to_have_count(0)
    lines.evaluate("(lines) => (lines.scrollTop = 100 * 22 - 5)")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("complementary", name="Line 101", exact=True)).to_be_visible()
