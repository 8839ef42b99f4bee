"""SQL, HTML, CSS and scripts are files with an editor, a linter and a diff of their own, never Python strings."""

from __future__ import annotations

import re

import pytest

from tests.architecture.source import package_modules, strings

pytestmark = pytest.mark.once
SQL = re.compile(
    r"""\b(
        SELECT \s+ .+? \s+ FROM
      | INSERT \s+ (OR \s+ \w+ \s+)? INTO
      | UPDATE \s+ \S+ \s+ SET
      | DELETE \s+ FROM
      | (CREATE|ALTER|DROP) \s+ (TEMP\s+|UNIQUE\s+|VIRTUAL\s+)? (TABLE|INDEX|VIEW|TRIGGER)
    )\b""",
    re.VERBOSE | re.DOTALL,
)
HTML = re.compile(
    r"<(!doctype|html|head|body|div|span|p|a|ul|li|table|tr|td|form|input|button|script|style|svg|pre)\b[^>]*>", re.I
)
CSS = re.compile(r"[\w.#-]+\s*\{\s*[\w-]+\s*:[^}]*;\s*\}")
PATTERNS = {"SQL": SQL, "HTML": HTML, "CSS": CSS}


@pytest.mark.parametrize("language", PATTERNS)
def test_no_python_string_holds(language: str) -> None:
    found = [
        f"{module.at(node)}: {str(node.value).strip()[:60]!r}"
        for module in package_modules()
        for node in strings(module)
        if PATTERNS[language].search(str(node.value))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("SQL", "SELECT id, name FROM tasks"),
        ("SQL", "INSERT OR IGNORE INTO tasks VALUES (?)"),
        ("SQL", "CREATE VIRTUAL TABLE search USING fts5(text)"),
        ("HTML", '<div class="row">'),
        ("CSS", ".row { color: red; }"),
    ],
)
def test_the_patterns_know_their_language(language: str, text: str) -> None:
    assert PATTERNS[language].search(text)


@pytest.mark.parametrize(
    "text", ["select a task from the list", "<lambda>", "<locals>", "{ts} {level}: {message}", "PRAGMA user_version"]
)
def test_the_patterns_leave_prose_alone(text: str) -> None:
    assert not any(pattern.search(text) for pattern in PATTERNS.values())
