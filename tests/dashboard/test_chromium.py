"""The dashboard as people have it: a real browser, a real server, a real app."""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import urlsplit

import pytest

from tests.dashboard.conftest import UNKNOWN, Window, show
from tests.dashboard.shop import HOSTILE_AS_SHOWN
from tests.dashboard.wire import wire_to

pytest.importorskip("playwright")
from playwright.sync_api import Request, ViewportSize, expect

pytestmark = [pytest.mark.chromium, pytest.mark.once]

PHONE: ViewportSize = {"width": 375, "height": 812}
TABLET: ViewportSize = {"width": 768, "height": 1024}
WALL: ViewportSize = {"width": 2560, "height": 1440}


def test_the_list_fills_while_it_is_looked_at(window: Window) -> None:
    page = window.page
    expect(page.get_by_role("heading", name="No tasks yet")).to_be_visible()
    window.add("charge", 42)
    row = page.get_by_role("row").filter(has_text="charge")
    expect(row.get_by_text("Success")).to_be_visible()
    expect(row.get_by_role("link", name="shop berlin")).to_be_visible()
    expect(page.get_by_role("link", name="Success 1")).to_be_visible()


def test_a_state_narrows_the_list_and_has_an_address(window: Window) -> None:
    page = window.page
    names = page.locator(".row-link")
    window.add("charge")
    window.add("refuse")
    page.get_by_role("link", name="Failed 1").click()
    expect(names).to_have_text(["refuse"])
    assert window.path == "?status=failed"
    page.get_by_role("link", name="Interrupted 0").click()
    expect(page.get_by_role("heading", name="No task matches")).to_be_visible()
    page.go_back()
    expect(names).to_have_text(["refuse"])
    page.get_by_role("link", name="All 2").click()
    expect(names).to_have_count(2)
    page.reload()
    expect(names).to_have_count(2)


def test_names_and_tags_narrow_the_list_too(window: Window) -> None:
    page = window.page
    names = page.locator(".row-link")
    window.add("charge")
    window.add("refuse")
    expect(names).to_have_count(2)
    page.get_by_label("Task name").fill("charge")
    page.keyboard.press("Enter")
    expect(names).to_have_text(["charge"])
    page.get_by_role("link", name="shop berlin").click()
    expect(names).to_have_count(2)
    assert window.path == "?tag=shop%3Aberlin"


def test_two_failures_and_a_success_are_three_bars_with_the_waits_between_them(window: Window) -> None:
    page = window.page
    window.wait_until(window.add("flaky"), "Success")
    expect(page.locator(".bar-failed")).to_have_count(2)
    expect(page.locator(".bar-success")).to_have_count(1)
    # The first attempt's own wait is too short to be told where the machine is quick.
    waits = page.locator(".waited").all_inner_texts()
    assert len(waits) in (2, 3)
    assert all(re.fullmatch(r"[\d.]+ m?s wait", wait) for wait in waits)
    page.get_by_role("link", name="Attempt 2").click()
    assert "attempt=2" in window.path
    expect(page.get_by_role("heading", name="Attempt 2")).to_be_visible()
    expect(page.get_by_text("the gateway said no, 0 to go").first).to_be_visible()


def test_every_attempt_keeps_its_own_error_after_a_success(window: Window) -> None:
    page = window.page
    window.wait_until(window.add("flaky"), "Success")
    page.get_by_role("link", name="Error 2").click()
    expect(page.locator(".message", has_text="the gateway said no, 0 to go")).to_be_visible()
    expect(page.locator(".frame", has_text="shop.py").first).to_be_visible()
    page.get_by_text("Attempt 1").click()
    expect(page.locator(".message", has_text="the gateway said no, 1 to go")).to_be_visible()
    page.get_by_role("button", name="Full").first.click()
    expect(page.locator(".stack-text")).to_contain_text("Traceback (most recent call last):")


def test_the_log_says_where_a_retry_began_and_why(window: Window) -> None:
    page = window.page
    window.wait_until(window.add("flaky", 7), "Success")
    page.get_by_role("link", name="Logs 4").click()
    rows = page.locator(".log-row")
    expect(rows).to_have_count(6)
    expect(rows.first.locator("time")).to_have_text(re.compile(r"\d\d:\d\d:\d\d\.\d{3}"))
    expect(rows.first.locator(".level")).to_have_text("info")
    expect(rows.last.locator(".level")).to_have_text("warning")
    expect(rows.nth(1)).to_have_text(re.compile(r"--- Retry 1 --- after PaymentError, waited [\d.]+ m?s"))
    expect(rows.nth(3)).to_contain_text("--- Retry 2 ---")
    page.get_by_label("Extras").check()
    expect(rows.first.locator(".chip")).to_have_text("number7")
    page.get_by_label("Level").select_option("warning")
    expect(rows).to_have_count(1)
    rows.get_by_text("Charged").click()
    expect(page.get_by_role("complementary", name="Line 4")).to_contain_text("attempt 3")
    assert window.path.endswith("?tab=logs&level=warning&line=4&extras=1")


def test_a_log_of_many_lines_opens_at_once_and_ends_at_its_end(window: Window) -> None:
    page = window.page
    window.wait_until(window.add("report", 20_000), "Success")
    page.get_by_role("link", name="Logs 20,000").click()
    expect(page.get_by_text("Row 1", exact=True)).to_be_visible()
    assert page.locator("*").count() < 1500
    page.get_by_role("table", name="Log lines").press("End")
    expect(page.get_by_text("Row 20000", exact=True)).to_be_visible()
    page.get_by_label("Level").select_option("warning")
    expect(page.get_by_text("Row 500", exact=True)).to_be_visible()
    expect(page.locator(".log-count")).to_have_text("40 lines")


def test_a_filter_without_lines_says_so(window: Window) -> None:
    page = window.page
    task_id = window.add("charge")
    window.wait_until(task_id, "Success")
    window.open(f"/tasks/{task_id}?tab=logs&level=error")
    expect(page.get_by_role("heading", name="No such lines")).to_be_visible()
    expect(page.get_by_text("Loading")).to_have_count(0)
    page.get_by_role("link", name="Show all lines").click()
    expect(page.locator(".log-count")).to_have_text("1 line")


def test_new_lines_come_by_themselves(window: Window) -> None:
    page = window.page
    task_id = window.add("flaky", 7)
    window.open(f"/tasks/{task_id}?tab=logs")
    expect(page.get_by_text("Charged", exact=True)).to_be_visible()
    expect(page.locator(".log-row")).to_have_count(6)


def test_a_failed_task_can_be_retried(window: Window) -> None:
    page = window.page
    first = window.add("refuse", 3)
    window.wait_until(first, "Failed")
    page.get_by_role("button", name="Retry").click()
    expect(page.get_by_role("link", name=first)).to_be_visible()
    expect(page.locator(".head-state .status")).to_have_text("Failed")
    assert first not in window.path


def test_a_running_task_can_be_cancelled_but_not_by_a_double_click(window: Window) -> None:
    page = window.page
    window.wait_until(window.add("patient"), "Running")
    page.get_by_role("button", name="Cancel").dblclick()
    expect(page.locator(".head-state .status")).to_have_text("Running")
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Cancel the task").click()
    expect(page.locator(".head-state .status")).to_have_text("Cancelled")
    expect(page.get_by_text("Cancelled by hand.")).to_be_visible()


def test_a_press_on_cancel_that_comes_too_late_does_not_retry(window: Window) -> None:
    page = window.page
    task_id = window.add("patient")
    window.wait_until(task_id, "Running")
    page.get_by_role("button", name="Cancel").focus()
    page.evaluate(PRESS_RETRY_AS_SOON_AS_IT_IS_THERE)
    window.post(f"/tasks/{task_id}/cancel")
    expect(page.locator(".head-state .status")).to_have_text("Cancelled")
    retry = page.get_by_role("button", name="Retry")
    expect(retry).to_be_enabled()
    expect(retry).not_to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_function("window.pressed === 1")
    assert task_id in window.path
    assert window.ask("/tasks/metrics").json()["total"] == 1


PRESS_RETRY_AS_SOON_AS_IT_IS_THERE = """() => {
    window.pressed = 0;
    const watch = new MutationObserver(() => {
        const retry = [...document.querySelectorAll("button")].find((each) => each.textContent === "Retry");
        if (!retry) return;
        watch.disconnect();
        retry.click();
        window.pressed += 1;
    });
    watch.observe(document.body, { childList: true, subtree: true, characterData: true });
}"""


def test_what_tasks_say_is_text(window: Window) -> None:
    page = window.page
    task_id = window.add("hostile", 9)
    window.wait_until(task_id, "Failed")
    for tab in ("details", "attempts", "error"):
        window.open(f"/tasks/{task_id}?tab={tab}")
        expect(page.locator(".message").first).to_contain_text(HOSTILE_AS_SHOWN)
    window.open(f"/tasks/{task_id}?tab=logs&extras=1")
    expect(page.locator(".log-message").first).to_contain_text(HOSTILE_AS_SHOWN)
    expect(page.locator(".chip-name", has_text="<b>9</b>")).to_be_visible()
    window.open()
    expect(page.locator(".remark", has_text=HOSTILE_AS_SHOWN)).to_be_visible()
    assert page.locator("img").count() == 0


def test_whole_numbers_are_shown_digit_by_digit(window: Window) -> None:
    page = window.page
    number = "1234567890123456789"
    task_id = window.add("flaky", int(number))
    expect(page.locator(".remark")).to_have_text(number)  # told by the stream
    window.wait_until(task_id, "Success")
    expect(page.locator(".arguments")).to_contain_text(number)  # came with the page
    window.open(f"/tasks/{task_id}?tab=logs&line=1&extras=1")  # asked for
    expect(page.locator(".log-row").first.locator(".chip")).to_have_text(f"number{number}")
    expect(page.locator(".line-detail")).to_contain_text(number)


@pytest.mark.parametrize(
    ("size", "scheme"),
    [(PHONE, "light"), (PHONE, "dark"), (TABLET, "light"), (WALL, "dark")],
    ids=["phone", "phone in the dark", "tablet", "wall in the dark"],
)
def test_every_page_is_shown_without_scrolling_sideways(
    window: Window, size: ViewportSize, scheme: Literal["light", "dark"]
) -> None:
    page = window.page
    task_id = window.add("hostile")
    window.wait_until(task_id, "Failed")
    page.set_viewport_size(size)
    page.emulate_media(color_scheme=scheme)
    for path in (
        "",
        "?status=failed",
        *(f"/tasks/{task_id}?tab={tab}" for tab in ("details", "attempts", "logs", "error")),
    ):
        window.open(path)
        expect(page.get_by_text("Live")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], path


def test_on_a_phone_the_facts_have_the_width_of_the_page(window: Window) -> None:
    page = window.page
    page.set_viewport_size(PHONE)
    window.open(f"/tasks/{window.add('charge', 1)}")
    fact = page.get_by_label("Facts").locator(".fact", has_text="Attempts").locator("dd")
    expect(fact).to_have_text("1 of at most 1")
    assert fact.bounding_box()["width"] > PHONE["width"] / 2  # type: ignore[index] # it is visible


def test_the_theme_is_the_system_s_until_somebody_chooses(window: Window) -> None:
    page = window.page
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate("getComputedStyle(document.body.parentElement).backgroundColor")
    page.get_by_label("Theme").select_option("light")
    page.reload()
    assert page.evaluate("getComputedStyle(document.body.parentElement).backgroundColor") != dark


def test_the_keyboard_goes_everywhere(window: Window) -> None:
    page = window.page
    first, second = window.add("charge", 1), window.add("refuse", 2)
    expect(page.locator(".row-link")).to_have_count(2)
    for key in ("j", "j", "k", "Enter"):
        page.keyboard.press(key)
    expect(page.get_by_role("heading", name="refuse")).to_be_focused()
    assert second in window.path
    page.keyboard.press("j")
    expect(page.get_by_role("heading", name="charge")).to_be_visible()
    assert first in window.path
    page.keyboard.press("3")
    assert window.path.endswith("?tab=logs")
    page.keyboard.press("Escape")
    expect(page.locator(f"#task-{first}")).to_be_focused()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_an_unknown_task_is_explained(window: Window) -> None:
    window.open(f"/tasks/{UNKNOWN}")
    expect(window.page.get_by_role("heading", name="This task is not kept here")).to_be_visible()
    window.page.get_by_role("link", name="Show all tasks").click()
    expect(window.page.get_by_role("heading", name="No tasks yet")).to_be_visible()


def test_a_hidden_page_gives_its_stream_back_and_catches_up_when_it_is_seen(window: Window) -> None:
    page = window.page
    window.add("charge")
    page.clock.install()
    window.open()
    expect(page.locator(".row-link")).to_have_text(["charge"])
    expect(page.get_by_text("Live")).to_be_visible()
    with page.expect_event("requestfailed", is_stream):
        show(page, is_hidden=True)
        page.clock.fast_forward(31_000)
    window.add("refuse")
    expect(page.locator(".row-link")).to_have_text(["charge"])
    with page.expect_request(is_stream):
        show(page, is_hidden=False)
    expect(page.locator(".row-link")).to_have_text(["refuse", "charge"])


def test_a_glance_at_another_tab_does_not_break_the_stream(window: Window) -> None:
    page = window.page
    page.clock.install()
    window.open()
    expect(page.get_by_text("Live")).to_be_visible()
    ended: list[Request] = []
    page.on("requestfailed", lambda request: ended.append(request))  # noqa: PLW0108 - playwright sets attributes on it
    show(page, is_hidden=True)
    page.clock.fast_forward(20_000)
    show(page, is_hidden=False)
    page.clock.fast_forward(20_000)
    window.add("charge")
    expect(page.locator(".row-link")).to_have_text(["charge"])
    assert ended == []


def is_stream(request: Request) -> bool:
    return "/dashboard/stream" in request.url


def test_a_cut_connection_is_told_and_nothing_is_missing_after_it(window: Window) -> None:
    page = window.page
    window.add("charge")
    with wire_to(urlsplit(window.server.base).port or 0) as wire:
        page.goto(f"{wire.base}/tasks/dashboard?token={window.token}")
        expect(page.locator(".row-link")).to_have_text(["charge"])
        expect(page.get_by_text("Live")).to_be_visible()
        window.expects_failures = True
        wire.cut()
        expect(page.get_by_text("Connection lost.")).to_be_visible()
        window.add("refuse")
        wire.mend()
        expect(page.locator(".row-link")).to_have_text(["refuse", "charge"])
        expect(page.get_by_text("Connection lost.")).to_be_hidden()
        page.goto("about:blank")
