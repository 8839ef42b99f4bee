"""A store that is damaged goes aside, a fresh one takes its place, and what the journals still have is in it again."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from otel_taskflow.model import TaskStatus
from otel_taskflow.sqlite.aside import asides
from tests.crash.rows import Rows
from tests.failures.child import Failing, failing

PAGE = 4096
Damage = Callable[[Path], None]


def header(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.write(os.urandom(100))


def pages(file: Path) -> None:
    """All but the first few, which say what the file is."""
    with file.open("r+b") as opened:
        opened.seek(3 * PAGE)
        opened.write(b"\xff" * (file.stat().st_size - 3 * PAGE))


def cut_off(file: Path) -> None:
    os.truncate(file, PAGE * 5)


def letter(file: Path) -> None:
    file.write_bytes(b"this is no database at all, but a letter " * 999)


def log_cut_off(file: Path) -> None:
    os.truncate(wal_of(file), 32)


def log_overwritten(file: Path) -> None:
    with wal_of(file).open("r+b") as opened:
        opened.write(os.urandom(wal_of(file).stat().st_size))


def wal_of(file: Path) -> Path:
    return file.with_name(f"{file.name}-wal")


def id_of(damage: Damage) -> str:
    return damage.__name__


DAMAGES = (header, pages, *(pytest.param(each, marks=pytest.mark.failures_slow) for each in (cut_off, letter)))
AT_LEAST = 2
"""Segments of a journal that is level: the one that is written, and the next."""
of_the_log = (log_cut_off, log_overwritten)
each_damage = pytest.mark.parametrize("damage", DAMAGES, ids=id_of)
each_damage_of_the_log = pytest.mark.parametrize("damage", of_the_log, ids=id_of)


def run(process: Failing, lines: int = 20) -> str:
    done = process.do("run", "log", lines)
    assert done["ended"], process.stderr
    return str(done["id"])


def fill(folder: Path, tasks: int = 30) -> list[str]:
    """Tasks of a process that has ended in good order; everything is in the file."""
    with failing("worker", folder) as process:
        ids = [run(process, 100) for _ in range(tasks)]
        assert process.do("drain", 30)
        process.do("stop")
    assert not wal_of(folder / "tasks.db").exists()
    return ids


def fold_log(file: Path) -> None:
    """Everything is in the file itself, so that it is the file that has to be read."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def check_task(rows: Rows, task_id: str, lines: int = 20) -> None:
    assert rows.settled(task_id).task.status is TaskStatus.SUCCESS
    rows.until(lambda: len(rows.messages(task_id)) >= lines, "its lines are there")
    assert rows.messages(task_id) == [f"line {number}" for number in range(lines)]


def check_sound(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def until_put_aside(file: Path) -> None:
    Rows(file.parent).until(lambda: bool(asides(file)), "it is put aside")


# Before a start


@pytest.mark.failure("S5")
@each_damage
def test_a_store_that_is_damaged_at_a_start_is_put_aside_and_tasks_run(tmp_path: Path, damage: Damage) -> None:
    fill(tmp_path)
    file = tmp_path / "tasks.db"
    damage(file)
    damaged = file.read_bytes()
    with failing("worker", tmp_path) as process:
        assert process.do("start") == "started"
        tasks = [run(process) for _ in range(3)]
        assert process.do("drain", 30), process.stderr
        health = process.do("store_health")
        assert health["state"] == "degraded", process.stderr
        (moved,) = asides(file)
        assert str(moved) in health["why"]
        assert process.do("dropped")["store_corrupt"] >= 1
        process.do("stop")
    if damage is not pages:  # which may have been written before the damage was found
        assert moved.read_bytes() == damaged
    assert str(moved) in process.stderr
    for task_id in tasks:
        check_task(Rows(tmp_path), task_id)
    check_sound(file)


@pytest.mark.failure("S5")
@each_damage
def test_what_the_journal_of_a_dead_process_holds_is_in_the_fresh_store(tmp_path: Path, damage: Damage) -> None:
    file = tmp_path / "tasks.db"
    with failing("worker", tmp_path) as process:
        ended = [run(process) for _ in range(5)]
        running = process.do("add", "never")
        Rows(tmp_path).until(lambda: Rows(tmp_path).messages(running) == ["never ends"], "it runs")
        fold_log(file)
        process.kill()
    fold_log(file)
    damage(file)
    with failing("worker", tmp_path) as process:
        assert process.do("start") == "started"
        task = run(process)
        assert Rows(tmp_path).settled(running).task.status is TaskStatus.INTERRUPTED
        for task_id in [*ended, task]:
            check_task(Rows(tmp_path), task_id)
        process.do("stop")
    assert len(asides(file)) == 1
    check_sound(file)


@pytest.mark.failure("S5")
@each_damage_of_the_log
def test_what_a_damaged_write_ahead_log_has_lost_comes_from_the_journal(tmp_path: Path, damage: Damage) -> None:
    """SQLite takes such a log for one that ends there, and says nothing."""
    file = tmp_path / "tasks.db"
    with failing("worker", tmp_path) as process:
        ended = [run(process) for _ in range(5)]
        assert process.do("drain", 30)
        process.kill()
    damage(file)
    with failing("worker", tmp_path) as process:
        assert process.do("start") == "started"
        task = run(process)
        for task_id in [*ended, task]:
            check_task(Rows(tmp_path), task_id)
        process.do("stop")
    check_sound(file)


# While it is used


@pytest.mark.failure("S5")
@each_damage
def test_two_processes_whose_store_is_damaged_go_on_in_a_fresh_one_with_what_they_know(
    tmp_path: Path, damage: Damage
) -> None:
    file, rows = tmp_path / "tasks.db", Rows(tmp_path)
    with failing("worker", tmp_path) as busy, failing("worker", tmp_path) as idle:
        before = [run(process) for process in (busy, idle) for _ in range(5)]
        held = [process.do("add", "never") for process in (busy, idle)]
        rows.until(lambda: [rows.messages(each) for each in held] == [["never ends"]] * 2, "both run")
        assert busy.do("count") == 12
        fold_log(file)
        damage(file)
        after = [run(busy, 200) for _ in range(5)]
        until_put_aside(file)
        rows.until(lambda: len(rows.tasks()) == 17, "all are there again")
        for task_id in before:
            check_task(rows, task_id)
        for task_id in after:
            check_task(rows, task_id, 200)
        assert [rows.task(each).task.status for each in held] == [TaskStatus.RUNNING] * 2
        assert [rows.messages(each) for each in held] == [["never ends"]] * 2
        assert busy.do("count") == 17
        for process in (busy, idle):
            health = process.do("store_health")
            assert health["state"] == "degraded", health
            assert str(asides(file)[0]) in health["why"]
        check_task(rows, run(idle))
        for process in (busy, idle):
            process.do("stop")
    assert len(asides(file)) == 1
    check_sound(file)


@pytest.mark.failure("S5")
@each_damage_of_the_log
def test_a_write_ahead_log_that_is_damaged_while_it_is_used_loses_nothing_that_the_journal_has(
    tmp_path: Path, damage: Damage
) -> None:
    file, rows = tmp_path / "tasks.db", Rows(tmp_path)
    with failing("worker", tmp_path) as process:
        before = [run(process) for _ in range(5)]
        assert process.do("drain", 30)
        damage(file)
        after = [run(process) for _ in range(5)]
        assert process.do("drain", 30)
        for task_id in [*before, *after]:
            process.do("page", task_id)
        for task_id in [*before, *after]:
            check_task(rows, task_id)
        process.do("stop")
    check_sound(file)


@pytest.mark.failure("S5")
def test_what_no_journal_has_any_more_is_counted_and_unfinished_tasks_stay(tmp_path: Path) -> None:
    file, rows = tmp_path / "tasks.db", Rows(tmp_path)
    with failing("worker", tmp_path) as process:
        running = process.do("add", "never")
        long = process.do("run", "log", 20_000, 400)
        assert long["ended"]
        rows.until(lambda: len(rows.messages(long["id"])) == 20_000, "all lines are there")
        rows.until(
            lambda: len(list(tmp_path.glob("journal/*/*.seg"))) <= AT_LEAST, "and the journal has let go of most"
        )
        fold_log(file)
        header(file)
        last = run(process)
        until_put_aside(file)
        check_task(rows, last)
        assert rows.task(running).task.status is TaskStatus.RUNNING
        assert process.do("dropped")["store_corrupt"] > 10_000
        process.do("stop")
    check_sound(file)
