"""The page's live stream when the connection, the session or the store is not what it was."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from tests.dashboard.conftest import Window
from tests.dashboard.wire import wire_to

pytest.importorskip("playwright")
from playwright.sync_api import expect

pytestmark = [pytest.mark.chromium, pytest.mark.once]


@pytest.mark.parametrize("sign", ["silence", "online"])
def test_a_connection_that_died_without_a_word_is_replaced(window: Window, sign: str) -> None:
    page = window.page
    page.clock.install()
    with wire_to(urlsplit(window.server.base).port or 0) as wire:
        page.goto(f"{wire.base}/tasks/dashboard?token={window.token}")
        expect(page.get_by_text("Live")).to_be_visible()
        wire.silence_streams()
        window.add("charge")
        page.clock.fast_forward(60_000)
        expect(page.get_by_role("heading", name="No tasks yet")).to_be_visible()
        if sign == "online":
            page.evaluate("dispatchEvent(new Event('online'))")
        else:
            page.clock.fast_forward(20_000)
        expect(page.locator(".row-link")).to_have_text(["charge"])
        expect(page.get_by_text("Live")).to_be_visible()
        page.goto("about:blank")
