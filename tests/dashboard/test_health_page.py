"""What the dashboard tells about the health of the process, while it changes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from otel_taskflow import OTLPExporter, TaskObserver
from otel_taskflow.testing.otlp_receiver import OTLPReceiver
from tests.dashboard.conftest import Window, open_window
from tests.dashboard.shop import HOSTILE, HOSTILE_AS_SHOWN, Shop

pytest.importorskip("playwright")
from playwright.sync_api import Request, ViewportSize, expect

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.chromium, pytest.mark.once]

SIZES: list[ViewportSize] = [{"width": 375, "height": 812}, {"width": 1440, "height": 900}]


class Slack(TaskObserver):
    """Fails while it is told to."""

    is_down = True

    def on_log(self, event: object) -> None:
        if self.is_down:
            raise ValueError(HOSTILE)


@pytest.fixture
def receiver() -> Iterator[OTLPReceiver]:
    """Not listening, on a port that is known."""
    with OTLPReceiver() as made:
        made.stop()
        yield made


@pytest.fixture
def troubled(browser: Browser, receiver: OTLPReceiver, tmp_path: Path) -> Iterator[Window]:
    """A shop whose collector is away."""
    exporter = OTLPExporter(receiver.url, name="collector", schedule_delay=0.0)
    with open_window(browser, Shop(tmp_path, [exporter, Slack()])) as window:
        yield window


def test_a_banner_says_what_is_degraded_and_goes_when_it_is_well_again_without_the_page_asking(
    troubled: Window, receiver: OTLPReceiver
) -> None:
    page = troubled.page
    asked: list[Request] = []
    page.on("request", lambda request: asked.append(request))  # noqa: PLW0108 - playwright sets attributes on it
    banner = page.locator(".health-banner")
    expect(banner).to_have_count(0)
    troubled.add("charge")
    expect(banner).to_contain_text("Destination collector is degraded.")
    expect(banner).to_contain_text("Connection refused")
    expect(banner).to_contain_text("Nothing is lost and it is tried again")
    receiver.start()
    expect(banner).to_have_count(0, timeout=30_000)
    assert [request.url for request in asked if "/health" in request.url or "/tasks?" in request.url] == []
    receiver.stop()
    troubled.add("charge")
    expect(banner).to_contain_text("Destination collector is degraded.")


def test_a_page_that_is_opened_while_something_is_degraded_says_so_at_once(troubled: Window) -> None:
    troubled.add("charge")
    banner = troubled.page.locator(".health-banner")
    expect(banner).to_be_visible()
    troubled.page.route("**/dashboard/stream*", lambda route: route.abort())
    troubled.expects_failures = True
    troubled.page.reload()
    expect(banner).to_contain_text("Destination collector is degraded.")


def test_what_parts_say_is_text(troubled: Window) -> None:
    troubled.add("report", 10)
    banner = troubled.page.locator(".health-banner")
    expect(banner).to_contain_text(HOSTILE_AS_SHOWN)
    assert troubled.page.locator("img").count() == 0


def test_the_page_of_all_parts_shows_each_destination_and_follows(troubled: Window, receiver: OTLPReceiver) -> None:
    page = troubled.page
    troubled.add("report", 30)
    page.get_by_role("link", name="All parts").click()
    assert troubled.path == "/health"
    logs = page.locator(".flow").filter(has_text="logs")
    expect(logs).to_contain_text(re.compile(r"Waiting\s*3\d · [\d.]+ kB · oldest"))
    expect(logs).to_contain_text("Last error: http://127.0.0.1")
    expect(logs).to_contain_text("A day, about")
    receiver.start()
    expect(logs).to_contain_text(re.compile(r"Waiting\s*0"), timeout=30_000)
    expect(logs).to_contain_text(re.compile(r"Delivered\s*3\d"))
    expect(page.locator(".health-part").filter(has_text=re.compile("^Journal"))).to_contain_text("Ok")
    page.get_by_role("link", name="← Tasks").click()
    expect(page.locator(".row-link")).to_have_text(["report"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: str(size["width"]))
def test_health_is_shown_without_scrolling_sideways(troubled: Window, size: ViewportSize, scheme: str) -> None:
    page = troubled.page
    page.set_viewport_size(size)
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    troubled.add("report", 10)
    for path in ("", "/health"):
        troubled.open(path)
        shown = page.locator(".health-part").first if path else page.locator(".health-banner")
        expect(shown).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
