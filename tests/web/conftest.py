"""The parts that tests of the web share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.web.parts import Backend


@pytest.fixture
def backend() -> Iterator[Backend]:
    made = Backend()
    yield made
    made.store.writer.close()
