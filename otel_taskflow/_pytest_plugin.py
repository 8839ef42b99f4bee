"""Hermetic tests: tasks in memory, nothing exported, retries at once. Loaded by pytest through its entry point.

The override is set when pytest loads this module, before any app module is imported. A test marked
``@pytest.mark.otel_taskflow_real`` runs with the settings as written, managers made outside it included.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

OVERRIDE = "OTEL_TASKFLOW_TESTING"
os.environ.setdefault(OVERRIDE, "1")


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker."""
    config.addinivalue_line(
        "markers",
        "otel_taskflow_real: in this test managers have their own store and exporters instead of the hermetic ones",
    )


@pytest.fixture(autouse=True)
def _otel_taskflow_override(request: pytest.FixtureRequest) -> Iterator[None]:
    if request.node.get_closest_marker("otel_taskflow_real") is None:
        yield
        return
    before = os.environ.pop(OVERRIDE, None)
    _stop_managers()
    try:
        yield
    finally:
        _stop_managers()
        if before is not None:
            os.environ[OVERRIDE] = before


def _stop_managers() -> None:
    """Each starts again at its next use, with the settings that hold then. One that nobody has imported cannot run."""
    running = sys.modules.get("otel_taskflow.manager.running")
    if running is not None:
        running.stop_all()
