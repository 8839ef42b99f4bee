"""A number that others read while it moves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from otel_taskflow.journal.mark import Mark, read_mark
from tests.failures.machine import fill, tmpfs

FIRST, SECOND = 0x0102030405060708, 0x1112131415161718
MOVER = f"""
import sys
from pathlib import Path
from otel_taskflow.journal.mark import Mark
mark = Mark(Path(sys.argv[1]))
while True:
    mark.move({FIRST})
    mark.move({SECOND})
"""


def test_the_number_is_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mark"
    assert read_mark(path) == 0
    mark = Mark(path)
    assert (mark.value, read_mark(path)) == (0, 0)
    mark.move(FIRST)
    assert (mark.value, read_mark(path), Mark(path).value) == (FIRST, FIRST, FIRST)
    mark.cell[0] = 7
    assert read_mark(path) == 7


def test_without_a_path_it_is_in_memory() -> None:
    mark = Mark(None)
    mark.move(5)
    assert mark.value == 5


def test_a_full_disk_is_an_error_when_it_is_made_not_a_signal_when_it_moves(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "disk", "1m") as disk:
        ballast = fill(disk)
        with pytest.raises(OSError, match="No space left"):
            Mark(disk / "end")
        ballast.unlink()
        kept = Mark(disk / "kept")
        fill(disk)
        kept.move(7)
        assert Mark(disk / "kept").value == 7


def test_whoever_reads_while_it_moves_reads_a_number_that_was_set(tmp_path: Path) -> None:
    path = tmp_path / "mark"
    mark = Mark(path)
    with subprocess.Popen([sys.executable, "-c", MOVER, str(path)]) as mover:
        try:
            deadline = time.monotonic() + 30
            while not mark.value:
                assert time.monotonic() < deadline
            seen, end = {mark.value}, time.monotonic() + 0.5
            while time.monotonic() < end:
                seen.update(mark.value for _ in range(1000))
                seen.add(read_mark(path))
        finally:
            os.kill(mover.pid, signal.SIGKILL)
    assert seen <= {FIRST, SECOND}
    assert read_mark(path) in {FIRST, SECOND}
