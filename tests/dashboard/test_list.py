"""The list of tasks while things happen in the app."""

from __future__ import annotations

import pytest

from tests.dashboard.conftest import Window

pytest.importorskip("playwright")
from playwright.sync_api import expect

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
