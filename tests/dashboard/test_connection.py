"""The page's live stream when the connection, the session or the store is not what it was."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.dashboard.conftest import PATIENCE, Window, forget_finished_tasks, show
from tests.dashboard.shop import Shop
from tests.dashboard.wire import wire_to
from tests.web.server import serving

pytest.importorskip("playwright")
from playwright.sync_api import APIResponse, Page, Route, expect

pytestmark = [pytest.mark.chromium, pytest.mark.once]


def break_stream(window: Window) -> None:
    """Let the page open its stream again."""
    window.page.evaluate("dispatchEvent(new Event('online'))")


@pytest.mark.parametrize("sign", ["silence", "online"])
def test_a_connection_that_died_without_a_word_is_replaced(window: Window, sign: str) -> None:
    page = window.page
    page.clock.install()
    with wire_to(urlsplit(window.server.base).port or 0) as wire:
        page.goto(f"{wire.base}/tasks/dashboard?token={window.token}")
        expect(page.get_by_text("Live")).to_be_visible()
        wire.silence_streams()
        window.add("charge")
        page.clock.fast_forward(50_000)
        expect(page.get_by_role("heading", name="No tasks yet")).to_be_visible()
        with page.expect_request("**/dashboard/stream*"):
            if sign == "online":
                break_stream(window)
            else:
                page.clock.fast_forward(30_000)
        expect(page.locator(".row-link")).to_have_text(["charge"])
        expect(page.get_by_text("Live")).to_be_visible()
        page.goto("about:blank")


@pytest.mark.parametrize("is_seen_before", [True, False], ids=["from the list", "by its address"])
def test_a_task_that_is_kept_no_more_is_not_shown_and_the_page_stays_live(
    window: Window, tmp_path: Path, *, is_seen_before: bool
) -> None:
    page = window.page
    window.expects_failures = True
    task_id = window.add("charge")
    window.wait_until(task_id, "Success")
    if is_seen_before:
        page.keyboard.press("Escape")
        expect(page.locator(".row-link")).to_have_text(["charge"])
    forget_finished_tasks(tmp_path)
    if is_seen_before:
        page.locator(".row-link").click()
    else:
        break_stream(window)
    expect(page.get_by_role("heading", name="This task is not kept here")).to_be_visible()
    expect(page.get_by_text("Connection lost.")).to_be_hidden()
    page.keyboard.press("2")
    expect(page.get_by_role("heading", name="This task is not kept here")).to_be_visible()
    page.get_by_role("link", name="Show all tasks").click()
    expect(page.get_by_role("heading", name="No tasks yet")).to_be_visible()
    window.add("refuse")
    expect(page.locator(".row-link")).to_have_text(["refuse"])


def test_a_late_answer_does_not_bring_back_a_task_that_is_kept_no_more(window: Window, tmp_path: Path) -> None:
    page = window.page
    window.expects_failures = True
    window.wait_until(window.add("charge"), "Success")
    held: list[tuple[Route, APIResponse]] = []
    page.route("**/tasks?limit=*", lambda route: held.append((route, route.fetch())))
    page.keyboard.press("Escape")
    expect(page.locator(".row-link")).to_have_text(["charge"])
    wait_for(page, held)
    forget_finished_tasks(tmp_path)
    page.locator(".row-link").click()
    missing = page.get_by_role("heading", name="This task is not kept here")
    expect(missing).to_be_visible()
    [(route, answer)] = held
    with page.expect_response("**/tasks?limit=*"):
        route.fulfill(response=answer)
    page.wait_for_timeout(300)
    expect(missing).to_be_visible()


def wait_for(page: Page, held: list[tuple[Route, APIResponse]]) -> None:
    deadline = time.monotonic() + PATIENCE / 1000
    while not held:
        assert time.monotonic() < deadline
        page.wait_for_timeout(20)


def test_a_session_that_has_ended_is_told_and_goes_on_where_somebody_signs_in_again(window: Window) -> None:
    page = window.page
    window.expects_failures = True
    window.add("charge")
    expect(page.locator(".row-link")).to_have_text(["charge"])
    page.context.clear_cookies()
    break_stream(window)
    expect(page.get_by_text("Your session has ended.")).to_be_visible()
    expect(page.locator(".connection")).to_have_text("Signed out")
    page.wait_for_timeout(3000)
    expect(page.get_by_text("connects again by itself")).to_be_hidden()
    other = page.context.new_page()
    other.goto(f"{window.server.base}/tasks/dashboard?token={window.token}")
    window.add("refuse")
    show(page, is_hidden=False)
    expect(page.locator(".row-link")).to_have_text(["refuse", "charge"])
    expect(page.get_by_text("Live")).to_be_visible()
    expect(page.get_by_text("Your session has ended.")).to_be_hidden()
    page.context.clear_cookies()
    page.locator(".row-link").first.click()
    page.get_by_role("button", name="Reload").click()
    expect(page.get_by_role("heading", name="Who is there?")).to_be_visible()


def test_a_store_that_began_anew_is_shown_with_its_figures(window: Window, tmp_path: Path) -> None:
    page = window.page
    window.expects_failures = True
    window.add("charge", times=9)
    folder = tmp_path / "anew"
    folder.mkdir()
    shutil.copy(tmp_path / "token", folder)
    with (
        serving(Shop(folder).app) as other,
        wire_to(urlsplit(window.server.base).port or 0) as wire,
    ):
        page.goto(f"{wire.base}/tasks/dashboard?token={window.token}")
        expect(page.get_by_role("link", name="All 9")).to_be_visible()
        wire.cut()
        wire.lead_to(urlsplit(other.base).port or 0)
        wire.mend()
        expect(page.get_by_role("heading", name="No tasks yet")).to_be_visible()
        expect(page.get_by_role("link", name="All 0")).to_be_visible()
        page.goto("about:blank")
