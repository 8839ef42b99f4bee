"""What every test may use."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).parent.parent
IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}

# What the machine's own telemetry is set to must not change what is tested here.
for name in [name for name in os.environ if name.startswith("OTEL_")]:
    del os.environ[name]


def unmeasured() -> dict[str, str]:
    """The environment of a program whose coverage is not measured."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}


def require_program(*names: str, remedy: str) -> Path:
    """The first of these programs (a name on PATH, or a path) that is there; else skip, and in CI fail."""
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        missing(f"none of {', '.join(names)} is there: {remedy}")
    return Path(found).absolute()


def require(condition: object, reason: str) -> None:
    """Go on if the condition holds; else skip, and in CI fail: a test that CI never ran has proved nothing."""
    if not condition:
        missing(reason)


def missing(reason: str) -> NoReturn:
    if IN_CI:
        pytest.fail(f"CI must have it: {reason}", pytrace=False)
    pytest.skip(reason)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """pytest-cov fails a test that it is not to measure where it measures nothing (--no-cov)."""
    if config.getoption("no_cov", default=False):
        for item in items:
            item.own_markers = [mark for mark in item.own_markers if mark.name != "no_cover"]


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Before pytest-cov, which wraps this, combines what all processes measured."""
    result = yield
    if session.config.getoption("cov_source", default=None) and not hasattr(session.config, "workerinput"):
        from tests.measured import forget_torn_data  # coverage, which few processes with this file need

        forget_torn_data(session.config.rootpath)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What hostile tests said can be sent from one process of a test run to another, which takes UTF-8 only."""
    report = yield
    report.sections = [(name, said.encode("utf-8", "backslashreplace").decode()) for name, said in report.sections]
    return report


@pytest.fixture
def anyio_backend() -> str:
    """``pytest.mark.anyio`` runs on asyncio, the loop that FastAPI's servers use."""
    return "asyncio"
