"""Nothing grows until nobody can read it. (Complexity and parameters are ruff's to count.)"""

from __future__ import annotations

import re
from collections.abc import Iterator
from statistics import median

import pytest

from tests.architecture.source import PACKAGE, files, functions, length, modules_of_tests, package_modules
from tests.conftest import ROOT

pytestmark = pytest.mark.once
FILE_LIMIT = 400
FUNCTION_LIMIT = 60
FUNCTION_MEDIAN = 10
SCRIPT_FUNCTION = re.compile(
    r"^(?:export )?(?:default )?(?:(?:async )?function (\w+)|const (\w+)(?::[^=]+)? = (?:async )?(?:<[^>]*>)?\(.*=> \{$)"
)


def script_functions(text: str) -> Iterator[tuple[str, int, int]]:
    """Name, first line and length of the functions at the left margin of a formatted script."""
    lines = text.splitlines()
    for index, line in enumerate(lines):
        found = SCRIPT_FUNCTION.match(line)
        if found:
            is_one_line = line.endswith("}")
            end = index if is_one_line else next(n for n in range(index, len(lines)) if lines[n] in ("}", "};"))
            yield found[1] or found[2], index + 1, end - index + 1


def test_no_file_is_longer_than_400_lines() -> None:
    endings = (".py", ".ts", ".tsx", ".css", ".html", ".sql")
    lengths = {
        path: len(path.read_text().splitlines())
        for path in files(PACKAGE, "tests", "examples", "grafana", endings=endings)
    }
    assert {str(path.relative_to(ROOT)): n for path, n in lengths.items() if n > FILE_LIMIT} == {}


def test_no_function_is_longer_than_60_lines() -> None:
    long = [
        f"{module.at(function)} {function.name}: {length(function)}"
        for module in package_modules() + modules_of_tests()
        for function in functions(module)
        if length(function) > FUNCTION_LIMIT
    ]
    assert long == []


def test_no_function_of_the_page_is_longer_than_60_lines() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{start} {name}: {lines}"
        for path in files(f"{PACKAGE}/web/ui", endings=(".ts", ".tsx"))
        for name, start, lines in script_functions(path.read_text())
        if lines > FUNCTION_LIMIT
    ]
    assert long == []


@pytest.mark.parametrize(
    "head",
    [
        "function name() {",
        "export function name({ one }: Two) {",
        "export default async function name<T>(",
        "const name = (one: number) => {",
        "export const name = async <T,>(one: T): Promise<void> => {",
    ],
)
def test_a_function_of_the_page_is_known_by_how_it_begins_and_ends(head: str) -> None:
    end = "};" if "=>" in head else "}"
    text = f"import x;\n\n{head}\n  if (x) {{\n  }}\n{end}\n\nconst other = 1;\n"
    assert list(script_functions(text)) == [("name", 3, 4)]


def test_the_median_function_has_at_most_10_lines() -> None:
    assert median(length(each) for module in package_modules() for each in functions(module)) <= FUNCTION_MEDIAN
