"""Each failure of the list has a test, and docs/reliability.md says which."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache

import pytest

from tests.architecture.source import modules_of_tests
from tests.conftest import ROOT

pytestmark = pytest.mark.once
PAGE = ROOT / "docs" / "reliability.md"
IDS = [
    *(f"C{number}" for number in range(1, 19)),
    *(f"S{number}" for number in range(1, 13)),
    *(f"E{number}" for number in range(1, 15)),
    *(f"T{number}" for number in range(1, 14)),
    *(f"V{number}" for number in range(1, 16)),
]
ROW = re.compile(r"^\| ([CSETV]\d+) \| (.*) \|$", re.MULTILINE)
LINK = re.compile(r"\]\(\.\./(tests/[^)]+)\)")


@cache
def marked() -> dict[str, set[str]]:
    """The files of the tests that are marked with each id."""
    found: dict[str, set[str]] = {}
    for module in modules_of_tests():
        for failure in failures_in(module.tree):
            found.setdefault(failure, set()).add(str(module.path.relative_to(ROOT)))
    return found


def failures_in(tree: ast.Module) -> Iterator[str]:
    """The ids in calls of the marker, and those of tables whose keys become its argument."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.failure":
            if isinstance(node.args[0], ast.Constant):
                yield str(node.args[0].value)
            else:
                yield from keys_in(tree)


def keys_in(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            yield from (key.value for key in node.keys if isinstance(key, ast.Constant) and key.value in IDS)


def rows() -> dict[str, str]:
    """The page's rows by id, those of what is not built yet aside."""
    return dict(ROW.findall(PAGE.read_text().partition("## Not yet")[0]))


def test_every_failure_of_the_list_has_a_test() -> None:
    assert set(IDS) - marked().keys() == set()


def test_no_test_is_marked_with_an_unknown_id() -> None:
    assert marked().keys() - set(IDS) == set()


def test_the_page_names_every_failure_and_where_it_is_brought_about() -> None:
    assert list(rows()) == IDS
    wrong = {each: set(LINK.findall(row)) - marked()[each] for each, row in rows().items()}
    assert {each: files for each, files in wrong.items() if files} == {}
    assert [each for each, row in rows().items() if not LINK.search(row)] == []
