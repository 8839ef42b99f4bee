"""The Python of a page runs from top to bottom, as a reader would paste it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

FRAGMENTS = {"redact-values.md", "secure-the-dashboard.md"}
"""Pages that show lines out of a program."""

BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGES = [
    page
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    if page.name not in FRAGMENTS and BLOCK.search(page.read_text())
]


def blocks(page: Path) -> str:
    return "\n\n".join(BLOCK.findall(page.read_text()))


def run(folder: Path, *command: str) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_python_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(blocks(page))
    run(tmp_path, str(program))


def test_the_tests_of_the_page_about_testing_pass(tmp_path: Path) -> None:
    (tmp_path / "test_page.py").write_text(blocks(ROOT / "docs" / "how-to" / "test-your-app.md"))
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\n")
    run(tmp_path, "-m", "pytest", "-p", "no:cacheprovider")
    assert not (tmp_path / "tasks.db").exists()
