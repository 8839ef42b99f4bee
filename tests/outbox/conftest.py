"""A stage for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_taskflow.spool import Spool
from tests.outbox.stage import Make, Stage


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(tmp_path / "spool.db", {})
    spool.open()
    yield spool
    spool.close()


@pytest.fixture
def stage(spool: Spool) -> Make:
    return lambda *destinations, **options: Stage(spool, *destinations, **options)
