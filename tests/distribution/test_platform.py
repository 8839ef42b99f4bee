"""Where the package cannot run it says so at once, and why."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import ROOT

HIDE_FCNTL = "import sys; sys.modules['fcntl'] = None; "


@pytest.mark.parametrize("platform", ["win32", "plan9"])
def test_a_platform_without_fcntl_is_told_what_is_missing(platform: str) -> None:
    done = run(f"{HIDE_FCNTL}sys.platform = {platform!r}; import otel_taskflow")
    assert done.returncode == 1
    [said] = [line for line in done.stderr.splitlines() if line.startswith("ImportError: ")]
    assert "runs on Linux and macOS" in said
    assert f"fcntl locks, which this platform ({platform}) does not have" in said


def test_a_platform_is_known_by_what_it_can_and_not_by_its_name() -> None:
    done = run("import sys; sys.platform = 'win32'; import otel_taskflow; print(otel_taskflow.__name__)")
    assert (done.returncode, done.stdout) == (0, "otel_taskflow\n")


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
