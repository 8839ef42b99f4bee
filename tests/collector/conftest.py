from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.collector.process import Collector, running_collector


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    """A real collector that writes all it gets into ``collector.output``."""
    with running_collector(tmp_path) as running:
        yield running
