"""A store that is full, broken, read-only or locked: no task is harmed, and everything is there when it works again."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from otel_taskflow.model import TaskStatus
from otel_taskflow.stores.sqlite.ballast import SIZE
from tests.crash.rows import Rows
from tests.failures.child import Failing, failing
from tests.failures.machine import fail_from, fill, make_read_only, strace, tmpfs

DEGRADING = '{"on_store_error": "degrade"}'
LINES = 5000


def check_whole(rows: Rows, *task_ids: str, lines: int = LINES) -> None:
    """These tasks succeeded, and every line of theirs is there once."""
    for task_id in task_ids:
        assert rows.task(task_id).task.status is TaskStatus.SUCCESS
        assert rows.messages(task_id) == [f"line {number}" for number in range(lines)]


def run_log(process: Failing, lines: int = LINES, size: int = 100) -> str:
    """Run a task that logs; it must end although the store is in trouble."""
    done = process.do("run", "log", lines, size)
    assert done["ended"], process.stderr
    return str(done["id"])


def run_to_the_store(process: Failing) -> str:
    """As ``run_log``; it is in the store afterwards."""
    task_id = run_log(process)
    assert process.do("drain", 30), process.stderr
    return task_id


def until(condition: Callable[[], bool], patience: float = 20.0) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# S1: the disk is full


@pytest.mark.failure("S1")
def test_a_disk_that_is_full_while_tasks_log_and_end_harms_no_task_and_loses_nothing(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "disk", "24m") as disk, failing("worker", disk) as process:
        assert process.do("start") == "started"
        before = run_log(process)
        assert process.do("drain", 30)
        ballast = fill(disk)
        full = [run_log(process, 20_000, 400), run_log(process)]
        assert process.do("degraded")
        assert not process.do("drain", 0.5)
        ballast.unlink()
        after = run_log(process)
        assert process.do("drain", 60), process.stderr
        assert process.do("dropped") == {}
        check_whole(Rows(disk), before, full[1], after)
        check_whole(Rows(disk), full[0], lines=20_000)
        process.do("stop")
    assert "not crash-safe" in process.stderr


@pytest.mark.failure("S1")
def test_a_start_on_a_disk_of_two_megabytes_is_refused_with_the_remedy_or_degrades(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "disk", "2m") as disk:
        with failing("worker", disk) as process:
            refusal = process.do("start")
            assert refusal.startswith(("JournalError", "StoreError")), refusal
            assert str(disk) in refusal
            assert "dir=" in refusal or "disk" in refusal
        with failing("worker", disk, DEGRADING) as process:
            assert process.do("start") == "started"
            run_log(process)
            assert process.do("drain", 30)
        assert "kept in memory only" in process.stderr


@pytest.mark.failure("S1")
def test_on_a_full_disk_retention_gets_the_room_that_was_kept_for_it_and_makes_more(tmp_path: Path) -> None:
    settings = json.dumps({"retention_days": 1 / 86400})
    with tmpfs(tmp_path / "disk", "112m") as disk, failing("worker", disk, settings) as process:
        assert process.do("start") == "started"
        kept = disk / "tasks.db-ballast"
        until(lambda: kept.exists() and kept.stat().st_size == SIZE)
        assert (kept.stat().st_mode & 0o777, kept.stat().st_blocks * 512) == (0o600, SIZE)
        old = [run_log(process, 5_000, 1000) for _ in range(4)]
        assert process.do("drain", 30)
        time.sleep(1.1)
        filler = fill(disk)
        run_log(process, 5_000, 400)
        run_log(process)
        until(lambda: not kept.exists())
        assert process.do("states")["store"] == "degraded"
        assert process.do("drain", 60), process.stderr  # though nobody has made room
        left = {each.task.task_id for each in Rows(disk).tasks()}
        assert left.isdisjoint(old)
        filler.unlink()
        until(kept.exists)
        until(lambda: process.do("states")["store"] == "ok")
        check_whole(Rows(disk), run_to_the_store(process))
        process.do("stop")
        assert not kept.exists()
    assert "is given up: the disk is full" in process.stderr


# S2: the disk says no


BROKEN = {
    "a write of the store": ("pwrite64", 130, "process", True),
    "a sync of the store": ("fdatasync", 14, "power", False),
    "a sync of the process that writes the store": ("fdatasync", 8, "power", True),
    "a sync of the journal": ("msync", 6, "power", True),
}
"""The call, the number of the first that fails in each process, durability, and whether another process writes the store."""


@pytest.mark.failure("S2")
@pytest.mark.parametrize("what", BROKEN)
def test_errors_of_the_disk_harm_no_task_and_lose_nothing(tmp_path: Path, what: str) -> None:
    call, number, durability, store_process = BROKEN[what]
    under = fail_from(number, 5, call, "EIO")
    settings = {"durability": durability, "store_process": store_process}
    with failing("worker", tmp_path, json.dumps(settings), under=under) as process:
        assert process.do("start") == "started"
        tasks = [run_log(process, 500) for _ in range(20)]
        assert process.do("drain", 60), process.stderr
        process.do("stop")
    assert "Input/output error" in process.stderr or "disk I/O error" in process.stderr
    if what == "a sync of the process that writes the store":
        assert "does not write the store any more, it is written here: StoreError" in process.stderr
    check_whole(Rows(tmp_path), *tasks, lines=500)
    with closing(sqlite3.connect(tmp_path / "tasks.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


# S3: read-only


@pytest.mark.failure("S3")
def test_a_read_only_file_system_stops_the_start_with_the_remedy_or_degrades(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "disk", "32m") as disk:
        with failing("worker", disk) as process:
            kept = run_log(process)
            assert process.do("drain", 30)
            process.do("stop")
        make_read_only(disk)
        with failing("worker", disk) as process:
            refusal = process.do("start")
            assert str(disk) in refusal
            assert "dir=" in refusal
        with failing("worker", disk, DEGRADING) as process:
            assert process.do("start") == "started"
            run_log(process)
            assert process.do("drain", 30)
        make_read_only(disk, is_read_only=False)
        check_whole(Rows(disk), kept)


# S4: locked


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """The database is in the middle of a transaction of somebody else's."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")


def check_lock(folder: Path, seconds: float) -> dict[str, float]:
    """Run tasks for some time while another process has the database; returns the lag of the event loop meanwhile."""
    with failing("worker", folder) as process:
        tasks = [run_log(process)]
        assert process.do("drain", 30)
        with locked(folder / "tasks.db"):
            process.do("lag")
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                tasks.append(run_log(process, LINES, 10))
                time.sleep(seconds / 10)
            lag = process.do("lag")
            assert not process.do("drain", 0.2)
        assert process.do("drain", 60), process.stderr
        assert process.do("dropped") == {}
        process.do("stop")
    check_whole(Rows(folder), *tasks)
    return lag


@pytest.mark.failure("S4")
def test_a_database_that_another_process_has_locked_holds_up_no_task(tmp_path: Path) -> None:
    lag = check_lock(tmp_path, 2.0)
    assert lag["p99"] < 100


@pytest.mark.failure("S4")
@pytest.mark.failures_slow
@pytest.mark.timeout(300)
def test_a_database_that_is_locked_for_longer_than_any_patience_holds_up_no_task(tmp_path: Path) -> None:
    lag = check_lock(tmp_path, 40.0)
    print(lag)
    assert lag["p99"] < 100


# Not a failure: what is private stays in the folder


def test_nothing_of_the_store_is_written_into_temporary_files(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    under = [str(trace) if word == "/dev/null" else word for word in strace("-e", "trace=openat,open,creat")]
    with failing("worker", tmp_path, under=under) as process:
        tasks = [run_log(process, 3000, 1000) for _ in range(3)]
        assert process.do("drain", 60), process.stderr
        assert process.do("page", tasks[0])["lines"] == 200
        process.do("prune", 0.2)
        process.do("stop")
    opened = trace.read_text()
    assert "tasks.db" in opened
    assert "etilqs_" not in opened  # how SQLite names its own
