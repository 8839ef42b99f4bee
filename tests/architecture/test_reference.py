"""The page of the public names has each of them, and no other."""

from __future__ import annotations

import re

import pytest

import otel_taskflow
from otel_taskflow import TaskManager
from tests.conftest import ROOT

pytestmark = pytest.mark.once
PAGE = ROOT / "docs" / "reference" / "api.md"
NAME = re.compile(r"`(?:await )?(\w+)")


def first_cells() -> list[str]:
    """The first cells of the tables of names: those before the methods."""
    before_methods, _, _ = PAGE.read_text().partition("## Methods of TaskManager")
    return re.findall(r"^\| `(\w+)` \|", before_methods, re.MULTILINE)


def test_the_page_has_every_public_name_and_no_other() -> None:
    assert sorted([*first_cells(), "__version__"]) == sorted(otel_taskflow.__all__)


def test_every_method_of_the_page_is_there() -> None:
    _, _, methods = PAGE.read_text().partition("## Methods of TaskManager")
    table, _, _ = methods.partition("## Other modules")
    named = {name for row in re.findall(r"^\| (.*?) \|", table, re.MULTILINE) for name in NAME.findall(row)}
    assert named
    assert named - set(dir(TaskManager(store="memory"))) == set()
