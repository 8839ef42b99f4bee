"""A manager whose store goes to a process of its own as soon as there is something to write."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_taskflow.consumers.store_process import host
from tests.store_process.counting import Counting


@pytest.fixture
def counting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counting]:
    monkeypatch.setattr(host, "MUCH", 10)
    counting = Counting(tmp_path / "state")
    yield counting
    counting.manager.stop()
