"""A process that is killed while it writes what it measured does not end the run of the tests."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest
from coverage import CoverageData
from coverage.data import combine_parallel_data
from coverage.exceptions import CoverageException

from tests.conftest import ROOT
from tests.measured import forget_torn_data

pytestmark = pytest.mark.once
FILES = 60
PAGE = 4096
CUT = 5 * PAGE
"""Where a torn file lets coverage fail."""
TEARS = """
from pathlib import Path

def test_that_tears():
    content = Path("whole").read_bytes()
    Path(".coverage.torn").write_bytes(content[:{cut}].ljust(len(content), bytes(1)))
"""


def measured(folder: Path, process: str) -> Path:
    data = CoverageData(str(folder / ".coverage"), suffix=process)
    data.add_lines({f"/package/module{n}.py": range(300) for n in range(FILES)})
    data.write()
    data.close(force=True)
    return folder / f".coverage.{process}"


def combined(folder: Path) -> set[str]:
    data = CoverageData(str(folder / ".coverage"))
    try:
        combine_parallel_data(data)
        return data.measured_files()
    finally:
        data.erase()


def test_what_was_written_whole_stays(tmp_path: Path) -> None:
    measured(tmp_path, "one")
    forget_torn_data(tmp_path)
    assert len(combined(tmp_path)) == FILES


# What coverage cannot read, it says and leaves open.
@pytest.mark.filterwarnings("ignore:Couldn't use data file", "ignore:unclosed database:ResourceWarning")
def test_what_was_torn_anywhere_goes_and_the_rest_is_combined(tmp_path: Path) -> None:
    content = measured(tmp_path, "template").read_bytes()
    refused = 0
    for written in range(0, len(content), PAGE):
        torn = tmp_path / ".coverage.torn"
        torn.write_bytes(content[:written].ljust(len(content), b"\0"))
        try:
            combined(tmp_path)
        except CoverageException:
            refused += 1
        torn.write_bytes(content[:written].ljust(len(content), b"\0"))
        measured(tmp_path, "whole")
        forget_torn_data(tmp_path)
        assert len(combined(tmp_path)) == FILES
    gc.collect()
    assert refused, "torn files trouble coverage no more: tests/measured.py can go"


@pytest.mark.parametrize(("conftest", "code"), [("from tests.conftest import pytest_runtestloop", 0), ("", 3)])
def test_a_run_whose_tests_pass_passes(tmp_path: Path, conftest: str, code: int) -> None:
    measured(tmp_path, "whole").rename(tmp_path / "whole")
    (tmp_path / "conftest.py").write_text(conftest)
    (tmp_path / "test_tears.py").write_text(TEARS.format(cut=CUT))
    command = [sys.executable, "-m", "pytest", "-n", "1", "--cov", "-p", "no:otel_taskflow", "--rootdir", str(tmp_path)]
    env = {name: value for name, value in os.environ.items() if not name.startswith(("COV", "PYTEST"))}
    run = subprocess.run(
        command, cwd=tmp_path, env={**env, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert "1 passed" in run.stdout, run.stdout + run.stderr
    assert run.returncode == code, run.stdout + run.stderr
