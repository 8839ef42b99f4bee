"""A real app under a real server, and a real browser in front of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from otel_taskflow.stores.opening import open_store
from otel_taskflow.web.pages import STATIC
from tests.conftest import require, require_program
from tests.dashboard.shop import Shop
from tests.web.server import Server, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page

PATIENCE = 10_000
"""Milliseconds."""
UNKNOWN = "nobody"
"""The browser reports the 404 of this task's page; that is no complaint about the page."""


@dataclass
class Window:
    """A page of the browser on the shop's dashboard."""

    page: Page
    server: Server
    token: str
    expects_failures: bool = False
    """A test that cuts the connection: what the browser says about failed requests is no complaint."""

    def add(self, name: str, number: int = 1, times: int = 1) -> str:
        """Send the app a request that adds a task, or some; the last one's id, once it can be read.

        A busy machine may be behind.
        """
        wanted = {"number": number, "times": times}
        added = httpx.post(f"{self.server.base}/shop/{name}", params=wanted).raise_for_status()
        task_id, deadline = str(added.json()), time.monotonic() + PATIENCE / 1000
        while self.ask(f"/tasks/{task_id}").status_code == 404:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return task_id

    def ask(self, path: str) -> httpx.Response:
        """Read from the API, as a program does."""
        return httpx.get(self.server.base + path, headers=self._bearer)

    def post(self, path: str) -> None:
        """Use a verb of the API, as a program does."""
        httpx.post(self.server.base + path, headers=self._bearer).raise_for_status()

    @property
    def _bearer(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}

    def wait_until(self, task_id: str, status: str) -> None:
        """Open the task and wait until its head says so."""
        from playwright.sync_api import expect

        self.open(f"/tasks/{task_id}")
        expect(self.page.locator(".head-state .status")).to_have_text(status)

    def open(self, path: str = "") -> None:
        self.page.goto(f"{self.server.base}/tasks/dashboard{path}")

    @property
    def path(self) -> str:
        """Where the page is, below the dashboard."""
        return self.page.url.partition("/tasks/dashboard")[2]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    require((STATIC / "manifest.json").is_file(), "the dashboard is not built: make ui")
    program = require_program("chromium", "chromium-browser", "google-chrome", remedy="install Chromium")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        # Chromium's own sandbox needs rights that containers do not give.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def window(browser: Browser, tmp_path: Path) -> Iterator[Window]:
    """A window on a new shop."""
    with open_window(browser, Shop(tmp_path)) as window:
        yield window


@contextmanager
def open_window(browser: Browser, shop: Shop) -> Iterator[Window]:
    """A window on this shop. Fails if the browser had anything to complain about, such as the page's policy."""
    said: list[ConsoleMessage] = []
    errors: list[str] = []
    with serving(shop.app) as server:
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda message: said.append(message))  # noqa: PLW0108 - playwright sets attributes on it
        page.on("pageerror", lambda error: errors.append(str(error)))
        window = Window(page, server, shop.manager.access_token())
        page.goto(f"{server.base}/tasks/dashboard?token={window.token}")
        yield window
        context.close()
    assert errors + [message.text for message in said if is_complaint(message, window)] == []


def show(page: Page, *, is_hidden: bool) -> None:
    """A headless browser shows all of its pages: tell this one that it is hidden, or seen again."""
    page.evaluate(
        """(isHidden) => {
            Object.defineProperty(document, "hidden", { value: isHidden, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        is_hidden,
    )


def forget_finished_tasks(folder: Path) -> None:
    """As retention does when their time is over."""
    store = open_store(None, folder)
    store.writer.open()
    while store.writer.prune(time.time_ns(), 2**62):
        pass
    store.writer.close()


def is_complaint(message: ConsoleMessage, window: Window) -> bool:
    is_request = message.text.startswith("Failed to load resource")
    is_expected = is_request and (window.expects_failures or message.location["url"].endswith(f"/{UNKNOWN}"))
    return message.type in {"error", "warning"} and not is_expected
