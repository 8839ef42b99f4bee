from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.backends.stack import Stack, fill, running_stack


@pytest.fixture(scope="session")
def filled_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Collector, Loki and Prometheus, filled by 1,001 tasks of the shop, one of its processes killed. For questions only."""
    with running_stack(tmp_path_factory.mktemp("stack")) as stack:
        yield fill(stack)
