"""A spool in a file and one in memory; both keep the same promises."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_taskflow.spool import Spool
from tests.spool.support import opened


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spool.db"


@pytest.fixture(params=["file", "memory"])
def spool(request: pytest.FixtureRequest, path: Path) -> Iterator[Spool]:
    spool = opened(path if request.param == "file" else None)
    yield spool
    spool.close()
