"""The page stays small: what everybody downloads before they see anything."""

from __future__ import annotations

import gzip
import json

import pytest

from otel_taskflow.web.pages import STATIC
from tests.conftest import require

pytestmark = pytest.mark.once
KILOBYTE = 1000


@pytest.mark.parametrize(("part", "limit"), [("script", 60 * KILOBYTE), ("style", 12 * KILOBYTE)])
def test_what_the_page_loads_at_once_is_within_its_budget(part: str, limit: int) -> None:
    require((STATIC / "manifest.json").is_file(), "the dashboard is not built: make ui")
    name = json.loads((STATIC / "manifest.json").read_text())[part]
    assert len(gzip.compress((STATIC / name).read_bytes(), 9)) <= limit


def test_the_built_page_asks_no_other_host_for_anything() -> None:
    require((STATIC / "manifest.json").is_file(), "the dashboard is not built: make ui")
    style = next(STATIC.glob("*.css")).read_text()
    assert "url(" not in style
    assert "@import" not in style
