"""Every public name says what it is, the docs know every setting, and no link in them is dead."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
from pathlib import Path
from typing import get_origin

import pytest

from tests.architecture.source import PACKAGE, files, package_modules
from tests.conftest import ROOT, require

pytestmark = pytest.mark.once
MODULES = [module.name for module in package_modules() if "__all__" in module.text]

PAGES = [*ROOT.glob("*.md"), *files("docs", "collector-config", "examples", "grafana", endings=(".md",))]
LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)]*)?\)")


def own_docstring(thing: object) -> str:
    """The docstring that somebody wrote on this very object: a dataclass makes one of its fields."""
    text = vars(thing).get("__doc__") if inspect.isclass(thing) else getattr(thing, "__doc__", None)
    return "" if text is None or text.startswith(f"{getattr(thing, '__name__', '')}(") else str(text).strip()


def is_class_or_function(thing: object) -> bool:
    """False for a type alias, which Python 3.10 takes for a class."""
    return get_origin(thing) is None and (inspect.isclass(thing) or inspect.isroutine(thing))


@pytest.mark.parametrize("name", MODULES)
def test_every_public_name_is_documented(name: str) -> None:
    module = importlib.import_module(name)
    public = {each: getattr(module, each) for each in module.__all__}
    undocumented = [each for each, thing in public.items() if is_class_or_function(thing) and not own_docstring(thing)]
    assert undocumented == []


def test_the_package_lists_its_public_names() -> None:
    assert PACKAGE in MODULES


def test_every_setting_is_in_a_table_of_the_docs_with_its_variable_and_meaning() -> None:
    from otel_taskflow.manager.settings import Settings, variable

    require((ROOT / "docs").is_dir(), "docs/ is not written yet")
    rows = [line for page in PAGES for line in page.read_text().splitlines() if line.startswith("|")]
    missing = [
        each.name
        for each in dataclasses.fields(Settings)
        if not any(f"`{variable(each.name)}`" in row and each.metadata["description"] in row for row in rows)
    ]
    assert missing == []


def test_the_layers_of_the_architecture_page_are_those_of_the_contract() -> None:
    contract = (ROOT / "pyproject.toml").read_text().partition("\nlayers = [\n")[2].partition("\n]\n")[0]
    page = (ROOT / "docs" / "architecture.md").read_text().partition("\n## Layout\n")[2]
    shown = [re.split(r"  +", line.strip())[0] for line in page.splitlines() if line.startswith("    ")]
    assert shown
    assert shown == [re.sub(r'[",()]', "", line).strip() for line in contract.splitlines()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_link_of_a_page_is_dead(page: Path) -> None:
    targets = [
        target for target in LINK.findall(page.read_text()) if "://" not in target and not target.startswith("mailto:")
    ]
    assert [target for target in targets if not (page.parent / target).exists()] == []
