"""A power cut: the store is never corrupt, and where power matters nothing that was acknowledged is lost."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from otel_taskflow.journal.disk import PowerSafeDisk
from otel_taskflow.journal.segment import Segment
from otel_taskflow.stores.opening import open_store
from tests.conftest import ROOT, require_program
from tests.failures.disk import CALLS, Call, calls, cut
from tests.failures.machine import strace
from tests.journal.support import make_writer

FILES = ["tasks.db", "tasks.db-wal"]
LINES = 20

PROGRAM = """
import os, sys
from pathlib import Path
from otel_taskflow.ports import StoreWrite
from otel_taskflow.stores.opening import open_store
from otel_taskflow.testing.store_rows import make_line, make_task
folder, level, slices = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
acknowledged = os.open(folder / "acknowledged", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
store = open_store(folder / "tasks.db", None, syncs_commits=level == "power")
store.writer.open()
for offset in range(1, slices + 1):
    lines = [make_line("task-1", offset * 100 + number, message="x" * 3000) for number in range(20)]
    store.writer.write(StoreWrite("journal", offset, [make_task("task-1")], (), lines))
    os.write(acknowledged, b"%d." % offset)
os._exit(0)
"""


def traced(folder: Path, durability: str, slices: int) -> list[Call]:
    """What a program that writes slices tells the disk, and when it has acknowledged them."""
    require_program("strace", remedy="apt install strace")
    trace, files = folder / "trace", [*FILES, "acknowledged"]
    only = [part for name in files for part in ("-P", str(folder / name))]
    output = ["-o", str(trace), "-y", "-xx", "-s", "70000", "-e", f"trace={CALLS}"]
    command = [*(word for word in strace() if word not in ("-f", "-o", "/dev/null")), *output, *only]
    program = [sys.executable, "-c", PROGRAM, str(folder), durability, str(slices)]
    subprocess.run([*command, *program], check=True, cwd=ROOT, timeout=100)
    found = list(calls(trace))
    trace.unlink()
    return found


def acknowledged_in(told: list[Call]) -> int:
    """The last slice that was acknowledged."""
    said = b"".join(call.data or b"" for call in told if call.file == "acknowledged")
    return int(said.split(b".")[-2]) if b"." in said else 0


@pytest.mark.failure("C14")
@pytest.mark.parametrize("durability", ["process", "power"])
def test_a_power_cut_at_any_moment_leaves_a_whole_store_and_where_it_matters_all_of_it(
    tmp_path: Path, durability: str
) -> None:
    told, random = traced(tmp_path, durability, 100), Random(7)
    first = next(index for index, call in enumerate(told) if call.file == "acknowledged")
    assert len(told) - first > 1000
    stored: list[int] = []
    lost = 0
    for number in range(25):
        before_the_cut = told[: random.randint(first, len(told))]
        folder = tmp_path / str(number)
        cut(before_the_cut, FILES, folder, random)
        stored.append(check_store(folder))
        lost += stored[-1] < acknowledged_in(before_the_cut)
    assert max(stored) > 0
    assert (lost > 0) == (durability == "process"), "the model of the disk loses nothing at all"
    assert (tmp_path / "tasks.db").stat().st_size > 1024**2


def check_store(folder: Path) -> int:
    """It opens, is whole, and has all lines of each slice that it says it has; returns how many slices."""
    store = open_store(folder / "tasks.db", None)
    store.writer.open()
    offset = store.writer.offset("journal")
    assert store.writer.usage().logs == offset * LINES
    store.writer.close()
    with closing(sqlite3.connect(folder / "tasks.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    return offset


class BrokenDisk(PowerSafeDisk):
    """Its first file cannot be synced once; as with real disks, the next sync of that file says that all is well."""

    def __init__(self) -> None:
        self.failures = 1

    def create_segment(self, path: Path | None, needed: int = 0) -> Segment:
        segment, disk = super().create_segment(path, needed), self

        class Breaking(Segment):
            def sync(self) -> bool:
                if disk.failures:
                    disk.failures -= 1
                    raise OSError(5, "Input/output error")
                return super().sync()

        return Breaking(segment.buffer, segment.path, segment.size)


@pytest.mark.failure("S2")
def test_a_file_of_the_journal_whose_sync_failed_is_not_trusted_again(tmp_path: Path) -> None:
    writer = make_writer(tmp_path, disk=BrokenDisk())
    writer.append(b"first")
    writer.sync()
    writer.sync()
    assert (writer.synced, writer.sync_failures) == (0, 1)
    assert (writer.health().state, writer.health().remedy) == ("degraded", "check that disk")
    writer.append(b"second")
    writer.sync()
    assert len(writer.segments) == 2
    assert writer.synced == 0
    writer.reclaim(1)
    writer.sync()
    assert writer.synced == 2
    assert writer.health().state == "ok"
