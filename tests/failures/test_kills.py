"""SIGKILL at random instants and at chosen system calls: what was acknowledged is there, once and in order."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from otel_taskflow.journal.reader import DeadReader
from otel_taskflow.model import AttemptOutcome, TaskStatus
from tests.beside import beside
from tests.crash.child import PATIENCE
from tests.crash.programs import Acknowledged
from tests.crash.rows import Rows, survivor
from tests.crash.test_killed_while_logging import check_lines, kill_after
from tests.failures.child import failing
from tests.failures.machine import kill_at

KILLS = 100
STORE_CALLS = "pwrite64,write,ftruncate,fdatasync,fsync"


def torn_in(folder: Path) -> int:
    """Torn records of the only journal of a folder."""
    [journal] = (folder / "journal").glob("[!.]*")
    reader = DeadReader(journal)
    assert list(reader.records())
    return reader.torn


def check_restart(folder: Path) -> int:
    """Whatever the last process was doing, the next one starts and settles what it left; returns how many lines there are."""
    acknowledged, rows = Acknowledged(folder / "acknowledged"), Rows(folder)
    with survivor(folder) as manager:
        rows.until(lambda: len(list((folder / "journal").glob("[!.]*"))) == 1, "what was left is taken over")
        assert manager.drain()
        counts = dict(check_tasks(rows, acknowledged))
    assert all(writer in counts for writer in range(3) if acknowledged[writer])
    with closing(sqlite3.connect(folder / "tasks.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    return sum(counts.values())


def check_tasks(rows: Rows, acknowledged: Acknowledged) -> Iterator[tuple[int, int]]:
    for found in rows.tasks():
        [writer] = json.loads(found.task.args or "")["args"]
        assert found.task.status is TaskStatus.INTERRUPTED
        assert [attempt.outcome for attempt in found.attempts] == [AttemptOutcome.INTERRUPTED]
        lines = rows.logs(found.task.task_id)
        check_lines(lines, acknowledged[writer])
        assert found.task.log_count == len(lines)
        yield writer, len(lines)


@pytest.mark.failure("C1")
@pytest.mark.failures_slow
@pytest.mark.timeout(600)
def test_a_hundred_kills_lose_and_double_no_acknowledged_line_and_tear_at_most_one_record(tmp_path: Path) -> None:
    def kill_once(run: int) -> int:
        folder = tmp_path / str(run)
        folder.mkdir()
        kill_after(folder, random.randint(0, 2000))
        assert torn_in(folder) <= 1
        lines = check_restart(folder)
        shutil.rmtree(folder)
        return lines

    assert sum(beside(kill_once, range(KILLS))) > 10_000


def killed_by(under: tuple[str, ...], folder: Path) -> None:
    """Number lines until the process is killed by what it runs under."""
    Acknowledged(folder / "acknowledged")
    with failing("number_lines", folder, under=under, module="tests.crash.programs") as process:
        assert process.process.wait(PATIENCE * 3) != 0, process.stderr
        assert "Traceback" not in process.stderr


@pytest.mark.failure("C2")
@pytest.mark.parametrize("number", [40, 110])
def test_a_kill_at_a_write_of_the_store_loses_nothing(tmp_path: Path, number: int) -> None:
    files = [tmp_path / "tasks.db", tmp_path / "tasks.db-wal"]
    killed_by(kill_at(number, STORE_CALLS, *files), tmp_path)
    check_restart(tmp_path)


@pytest.mark.failure("C2")
@pytest.mark.failures_slow
@pytest.mark.timeout(600)
def test_a_kill_at_any_write_of_the_store_loses_nothing(tmp_path: Path) -> None:
    def kill_once(number: int) -> None:
        folder = tmp_path / str(number)
        folder.mkdir()
        killed_by(kill_at(number, STORE_CALLS, folder / "tasks.db", folder / "tasks.db-wal"), folder)
        check_restart(folder)
        shutil.rmtree(folder)

    beside(kill_once, range(3, 60, 6))
    for number in (400, *random.sample(range(60, 3000), 5)):  # much to take over, which holds up its neighbours
        kill_once(number)


SYSTEM_CALLS = [
    ("?unlink,unlinkat", 1, "at the end of the first transaction of the file", True),
    ("?unlink,unlinkat", 2, "at the end of its second", False),
    ("?unlink,unlinkat", 3, "between the two companions of the file", False),
    ("?unlink,unlinkat", 4, "at the second companion", False),
    ("?mkdir,mkdirat", 4, "before the journal's folder is made", False),
    ("?rename,renameat,renameat2", 1, "before the folder gets its name", True),
    ("ftruncate", 4, "before the number of the last event gets a file", False),
    ("fallocate", 1, "before the first segment takes its room", True),
    ("fallocate", 2, "before a later one does", False),
]


@pytest.mark.failure("C2")
@pytest.mark.parametrize(
    ("calls", "number"),
    [
        pytest.param(calls, number, id=what, marks=() if is_quick else pytest.mark.failures_slow)
        for calls, number, what, is_quick in SYSTEM_CALLS
    ],
)
def test_a_kill_at_a_step_of_the_start_or_of_the_journal_loses_nothing(tmp_path: Path, calls: str, number: int) -> None:
    killed_by(kill_at(number, calls), tmp_path)
    check_restart(tmp_path)
