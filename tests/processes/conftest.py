"""A manager with worker processes, and what its store has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_taskflow import TaskManager
from tests.crash.rows import Rows


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def manager(folder: Path) -> Iterator[TaskManager]:
    manager = TaskManager(dir=str(folder), shutdown_grace=0.2, max_process_workers=2)
    yield manager
    manager.stop()


@pytest.fixture
def rows(folder: Path) -> Rows:
    return Rows(folder)
