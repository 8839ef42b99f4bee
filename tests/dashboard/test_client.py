"""The page's own logic has tests of its own, in TypeScript; they run here so that nobody forgets them."""

from __future__ import annotations

import subprocess

import pytest

from tests.conftest import ROOT, require, require_program

pytestmark = pytest.mark.once
UI = ROOT / "otel_taskflow/web/ui"


@pytest.mark.parametrize("script", ["check", "test"])
def test_types_and_logic_of_the_page(script: str) -> None:
    npm = require_program("npm", remedy="install Node and npm")
    require((UI / "node_modules").is_dir(), f"the page's build tools are not installed: npm ci in {UI}")
    done = subprocess.run([npm, "run", script], cwd=UI, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
