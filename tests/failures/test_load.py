"""Much of everything: many processes on one file, a million lines of one task, retention beside writers, ten thousand tasks."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from otel_taskflow.errors import QueueFullError
from otel_taskflow.manager import TaskManager
from otel_taskflow.model import TaskStatus
from tests.crash.rows import Rows
from tests.failures.child import Failing, failing
from tests.failures.programs import memory


def started(stack: ExitStack, folder: Path, count: int) -> list[Failing]:
    workers = [stack.enter_context(failing("worker", folder)) for _ in range(count)]
    assert [worker.do("start") for worker in workers] == ["started"] * count
    return workers


def do_all(workers: Sequence[Failing], verb: str, *values: object) -> list[object]:
    """All of them at the same time."""
    for worker in workers:
        worker.begin(verb, *values)
    return [worker.end(verb, *values) for worker in workers]


def check_processes(folder: Path, a_second: int, seconds: float) -> tuple[float, float]:
    """Four processes log into one file; returns the worst median and the worst p99 of a call, in microseconds."""
    with ExitStack() as stack:
        workers = started(stack, folder, 4)
        done = do_all(workers, "run", "paced", a_second, seconds)
        figures = [worker.do("microseconds") for worker in workers]
        assert do_all(workers, "drain", 60) == [True] * 4
        assert do_all(workers, "dropped") == [{}] * 4
        for worker in workers:
            assert worker.stderr == ""
            worker.do("stop")
    rows, count = Rows(folder), int(a_second * seconds)
    for each in done:
        assert isinstance(each, dict)
        assert rows.messages(each["id"]) == [f"line {number}" for number in range(count)]
    print(figures)
    return max(each["p50"] for each in figures), max(each["p99"] for each in figures)


@pytest.mark.failure("S6")
def test_four_processes_on_one_file_lose_nothing_and_lock_nobody_out(tmp_path: Path) -> None:
    check_processes(tmp_path, 2000, 1.0)


@pytest.mark.failure("S6")
@pytest.mark.failures_slow
@pytest.mark.timeout(300)
def test_four_processes_at_two_thousand_lines_a_second_each_log_without_waiting(tmp_path: Path) -> None:
    median, p99 = check_processes(tmp_path, 2000, 10.0)
    assert median < 100
    assert p99 < 2000


@pytest.mark.failure("S7")
@pytest.mark.failures_slow
@pytest.mark.timeout(600)
def test_a_million_lines_of_one_task_take_no_memory_and_are_read_at_once(tmp_path: Path) -> None:
    with failing("worker", tmp_path) as process:
        process.do("run", "log", 1000, 10)
        process.do("drain", 30)
        before = process.do("memory")
        process.do("lag")
        done = process.do("run", "log", 1_000_000, 10)
        grown, lag = process.do("memory") - before, process.do("lag")
        assert process.do("drain", 300)
        grown = max(grown, process.do("memory") - before)
        page, dropped = process.do("page", done["id"]), process.do("dropped")
    print(done, grown, lag, page, dropped)
    assert done["ended"]
    assert dropped == {}
    assert grown < 64
    assert lag["p99"] < 50
    assert page["lines"] == 200
    assert page["ms"] < 200
    assert Rows(tmp_path).task(done["id"]).task.log_count == 1_000_000


@pytest.mark.failure("S11")
@pytest.mark.failures_slow
@pytest.mark.timeout(300)
def test_retention_beside_four_writers_locks_nobody_out_and_gives_the_space_back(tmp_path: Path) -> None:
    with ExitStack() as stack:
        workers = started(stack, tmp_path, 4)
        [pruner] = started(stack, tmp_path, 1)
        for worker in workers:
            worker.begin("churn", 10)
        pruned = pruner.do("prune", 10)
        added = [worker.end("churn", 10) for worker in workers]
        assert do_all(workers, "drain", 60) == [True] * 4
        largest = pruner.do("prune", 0.0)["bytes"]
        while gone := pruner.do("prune", 3)["gone"]:
            pruned["gone"] += gone
        left = pruner.do("prune", 0.0)["bytes"]
        print(pruned, added, largest, left)
        for worker in (*workers, pruner):
            assert "locked" not in worker.stderr
            worker.do("stop")
    assert pruned["gone"] == sum(each["count"] for each in added)
    assert left <= largest
    with closing(sqlite3.connect(tmp_path / "tasks.db")) as connection:
        assert connection.execute("SELECT count(*) FROM logs").fetchone() == (0,)
        assert connection.execute("PRAGMA freelist_count").fetchone()[0] * 4096 < 4 * 1024**2
        assert connection.execute("PRAGMA page_count").fetchone()[0] * 4096 < 8 * 1024**2


def locks(file: Path, is_over: Callable[[], bool]) -> list[float]:
    """Ask again and again for the right to write; returns for how many seconds it was not to be had, shortest first."""
    waits, since = [], time.perf_counter()
    with closing(sqlite3.connect(file, isolation_level=None, timeout=0)) as connection:
        while not is_over():
            try:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("ROLLBACK")
                waits.append(time.perf_counter() - since)
            except sqlite3.OperationalError:
                time.sleep(0.001)
                continue
            since = time.perf_counter()
    return sorted(wait for wait in waits if wait > 0.001)


@pytest.mark.failure("S11")
@pytest.mark.failures_slow
@pytest.mark.timeout(300)
def test_retention_deletes_in_steps_that_hold_the_lock_for_a_moment_only(tmp_path: Path) -> None:
    with failing("worker", tmp_path) as process:
        process.do("run", "log", 100_000, 100)
        process.do("churn", 3)
        assert process.do("drain", 120)
        process.do("stop")
        process.do("start")
        process.begin("prune", 6)
        deadline = time.monotonic() + 6
        waits = locks(tmp_path / "tasks.db", lambda: time.monotonic() > deadline)
        pruned = process.end("prune", 6)
        process.do("stop")
    print(pruned, waits[-10:])
    assert pruned["gone"] > 100
    assert waits[int(len(waits) * 0.9)] < 0.15
    assert waits[-1] < 1.0


@pytest.mark.failure("T11")
@pytest.mark.timeout(300)
def test_ten_thousand_tasks_at_once_take_little_memory_and_the_next_is_refused(tmp_path: Path) -> None:
    manager = TaskManager(dir=str(tmp_path), max_pending=10_000)
    gate = threading.Event()

    def wait() -> None:
        gate.wait(60)

    manager.start()
    before = memory()
    tasks = [manager.add_task(wait) for _ in range(10_000)]
    grown = memory() - before
    assert grown < 10_000 * 0.02
    with pytest.raises(QueueFullError, match="max_pending"):
        manager.add_task(wait)
    gate.set()
    assert manager.drain(120)
    manager.stop()
    rows = Rows(tmp_path)
    with closing(sqlite3.connect(tmp_path / "tasks.db")) as connection:
        statuses = connection.execute("SELECT status, count(*) FROM tasks GROUP BY status").fetchall()
    assert len(statuses) == 1
    assert statuses[0][1] == len(tasks)
    assert rows.task(tasks[-1]).task.status is TaskStatus.SUCCESS
    print(json.dumps({"megabytes": grown}))
