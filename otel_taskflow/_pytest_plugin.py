"""Hermetic tests: tasks in memory, nothing exported, retries at once. Loaded by pytest through its entry point.

The override is set when pytest loads this module, before any app module is imported. A test marked
``@pytest.mark.otel_taskflow_real`` runs with the settings as written, its fixtures of every scope and managers made outside
it included.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

OVERRIDE = "OTEL_TASKFLOW_TESTING"
os.environ.setdefault(OVERRIDE, "1")
_set_aside: dict[pytest.Item, str | None] = {}
"""What the override was before a marked test, while that is set up, runs and is torn down."""


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker."""
    config.addinivalue_line(
        "markers",
        "otel_taskflow_real: in this test managers have their own store and exporters instead of the hermetic ones",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before the first fixture of a marked test, of whatever scope: managers start with the settings as written."""
    if item.get_closest_marker("otel_taskflow_real") is not None:
        _set_aside[item] = os.environ.pop(OVERRIDE, None)
        _stop_managers()


@pytest.hookimpl(hookwrapper=True, trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """After its last fixture: hermetic again."""
    yield
    if item in _set_aside:
        before = _set_aside.pop(item)
        try:
            _stop_managers()
        finally:
            if before is not None:
                os.environ[OVERRIDE] = before


def _stop_managers() -> None:
    """Each starts again at its next use, with the settings that hold then. One that nobody has imported cannot run."""
    running = sys.modules.get("otel_taskflow.manager.running")
    if running is not None:
        running.stop_all()
