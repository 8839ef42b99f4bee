"""Idempotency keys where several processes share a folder: one task a key, whoever asks first."""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from otel_taskflow import QueueFullError, StoreUnavailableError, TaskManager
from otel_taskflow.journal import claimed_keys
from otel_taskflow.manager import idempotency
from tests.conftest import ROOT
from tests.manager.asking_for_keys import GO, STARTED
from tests.manager.standstill import all_stored, nothing_stored

PROCESSES, KEYS = 4, 200
FILES = 16

Pair = tuple[TaskManager, TaskManager]


def note(text: str) -> None:
    if text == "fail":
        raise ValueError(text)


def add(manager: TaskManager, text: str = "") -> str:
    return manager.add_task(note, text, idempotency_key="key")


def new_manager(folder: Path, name: str, **settings: int) -> TaskManager:
    manager = TaskManager(dir=folder, name=name, shutdown_grace=0.2, **settings)  # type: ignore[arg-type]
    manager.task(name="note")(note)
    manager.start()
    return manager


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """Two that share a folder and its store, as those of two processes do."""
    one, two = new_manager(tmp_path, "one"), new_manager(tmp_path, "two")
    yield one, two
    one.stop()
    two.stop()


def claims(folder: Path) -> list[tuple[Path, str]]:
    """Each line of each file."""
    paths = (folder / claimed_keys.FOLDER).iterdir()
    return [(path, line) for path in paths for line in path.read_text().splitlines()]


def asking(folder: Path, keys: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.manager.asking_for_keys", str(folder), str(keys)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == STARTED
    return process


def test_of_processes_that_add_the_same_keys_at_once_each_key_gets_one_task(tmp_path: Path) -> None:
    running = [asking(tmp_path, KEYS) for _ in range(PROCESSES)]
    (tmp_path / GO).touch()
    answers = [json.loads(each.communicate(timeout=60)[0]) for each in running]
    with closing(sqlite3.connect(tmp_path / "tasks.db")) as connection:
        stored = [task_id for (task_id,) in connection.execute("SELECT task_id FROM tasks")]
    assert all(answer == answers[0] for answer in answers[1:])
    assert sorted(stored) == sorted(set(answers[0]))
    assert len(stored) == KEYS


def test_a_key_is_held_before_the_store_knows_its_task(pair: Pair, tmp_path: Path) -> None:
    one, two = pair
    with nothing_stored(tmp_path):
        assert add(one) == add(two)


def test_a_key_is_held_by_a_task_that_a_dead_process_has_journalled(pair: Pair, tmp_path: Path) -> None:
    process = asking(tmp_path, 1)
    with nothing_stored(tmp_path):
        (tmp_path / GO).touch()
        assert process.stdout is not None
        (added,) = json.loads(process.stdout.readline())
        process.kill()
        process.communicate()
        pair[0].task(name="charge")(note)
        assert pair[0].add_task(note, "", idempotency_key="order-0") == added


def test_a_key_is_free_when_its_task_has_failed_in_another_process(pair: Pair) -> None:
    one, two = pair
    failed = add(one, "fail")
    assert one.drain(10)
    assert add(two) != failed


def test_a_claim_counts_more_than_the_task_before_it_whose_end_is_not_in_the_store(pair: Pair, tmp_path: Path) -> None:
    one, two = pair
    go_on = threading.Event()

    def fail_then(*_: object) -> None:
        go_on.wait(10)
        raise ValueError("not yet")

    for manager in pair:
        manager.task(name="charge")(fail_then)
    failed = one.add_task(fail_then, idempotency_key="key")
    all_stored(one)
    with nothing_stored(tmp_path):
        go_on.set()
        assert one.runtime.engine.wait_idle(10)
        added = one.add_task(fail_then, idempotency_key="key")
        assert added != failed
        assert two.add_task(fail_then, idempotency_key="key") == added


def test_a_key_whose_task_could_not_be_added_is_free(pair: Pair, tmp_path: Path) -> None:
    full = new_manager(tmp_path, "full", max_pending=1)
    go_on = threading.Event()
    full.add_task(go_on.wait)
    with pytest.raises(QueueFullError):
        add(full)
    assert claims(tmp_path) == []
    assert add(pair[0])
    go_on.set()
    full.stop()


def test_a_file_of_claims_does_not_grow_with_the_tasks(pair: Pair, tmp_path: Path) -> None:
    for number in range(3):
        for each in range(100):
            pair[0].add_task(note, "", idempotency_key=f"key-{number}-{each}")
        assert pair[0].drain(10)
    assert 0 < len(claims(tmp_path)) <= 200
    for each in range(100):
        pair[0].add_task(note, "", idempotency_key=f"key-{number}-{each}-again")
        assert pair[0].drain(10)
    assert len(claims(tmp_path)) <= FILES


def test_claims_of_processes_that_are_gone_with_their_journals_hold_nothing_and_are_left_out(
    pair: Pair, tmp_path: Path
) -> None:
    with nothing_stored(tmp_path):
        added = add(pair[0])
        ((path, line),) = claims(tmp_path)
        digest, journal_id, _ = line.split(" ")
        others = [f"{digest[0]}{number:063x} gone-1 {added}\n" for number in range(1000)]
        path.write_text("".join(others) + line.replace(journal_id, "gone-2") + "\n")
        assert add(pair[1]) != added
        assert len(claims(tmp_path)) == 1


def test_a_claim_that_was_not_written_to_its_end_holds_nothing_and_harms_no_other(pair: Pair, tmp_path: Path) -> None:
    with nothing_stored(tmp_path):
        added = add(pair[0])
        ((path, line),) = claims(tmp_path)
        for torn in (line[:70], line[20:], "\0" * 100):
            path.write_text(f"{torn}\n{line}\n{torn}")
            assert add(pair[1]) == added
        path.write_text(line[:70])
        assert add(pair[1]) != added


def test_a_key_that_another_process_does_not_let_go_is_refused(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claimed_keys, "PATIENCE", 0.02)
    with nothing_stored(tmp_path):
        added = add(pair[0])
        ((path, _),) = claims(tmp_path)
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            with pytest.raises(StoreUnavailableError, match=r"idempotency_key='key'\): another process has had"):
                add(pair[1])
        assert add(pair[1]) == added


def test_where_no_claims_can_be_written_tasks_with_keys_are_added(
    pair: Pair, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / claimed_keys.FOLDER).write_text("in the way")
    added = add(pair[0])
    assert add(pair[0]) == added
    assert pair[0].add_task(note, "", idempotency_key="another key") != added
    assert caplog.text.count("other processes learn of an idempotency key late") == 1


def test_a_disk_without_room_for_a_claim_refuses_no_task(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(claimed_keys.os, "pwrite", no_room)
    added = add(pair[0])
    assert pair[0].drain(10)
    assert add(pair[1]) == added


def test_the_files_of_claims_are_closed_when_the_last_turn_has_ended_and_not_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[int] = []
    closed: list[int] = []

    def open_noted(*args: Any) -> int:
        opened.append(open_file(*args))
        return opened[-1]

    def close_noted(file: int) -> None:
        close_file(file)
        closed.append(file)

    open_file, close_file = os.open, os.close
    monkeypatch.setattr(claimed_keys, "os", SimpleNamespace(**{**vars(os), "open": open_noted, "close": close_noted}))
    keys = claimed_keys.ClaimedKeys(tmp_path, "journal-1", "store", lambda: 0)
    with keys.turn("note", "key") as key:
        keys.close()
        key.claim("task-1")
        assert [line.split(" ")[1:] for _, line in claims(tmp_path)] == [["journal-1", "task-1"]]
        assert closed == []
    assert closed == opened != []
    with pytest.raises(OSError, match="has been stopped"), keys.turn("note", "key"):
        pass


def test_a_manager_starts_again_while_a_thread_is_still_asking_for_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = new_manager(tmp_path, "asked")
    asking, go_on = threading.Event(), threading.Event()

    def wait(*_: object) -> None:
        asking.set()
        go_on.wait(10)

    monkeypatch.setattr(manager.runtime.store.writer, "find_idempotent", wait)
    added: list[object] = []
    thread = threading.Thread(target=lambda: added.append(suppressed(lambda: add(manager))))
    thread.start()
    assert asking.wait(10)
    manager.stop()
    manager.start()
    go_on.set()
    thread.join(10)
    assert add(manager)
    manager.stop()


def suppressed(call: Callable[[], object]) -> object:
    """What it returns or raises."""
    try:
        return call()
    except Exception as error:
        return error


def test_a_key_that_is_no_recent_one_any_more_is_held_while_the_store_does_not_know_its_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "RecentKeys", partial(idempotency.RecentKeys, 2))
    manager = new_manager(tmp_path, "busy")
    with nothing_stored(tmp_path):
        ids = [manager.add_task(note, "", idempotency_key=f"order-{number}") for number in range(8)]
        assert [manager.add_task(note, "", idempotency_key=f"order-{number}") for number in range(8)] == ids
        failed = [manager.add_task(note, "fail", idempotency_key=f"bad-{number}") for number in range(4)]
        manager.runtime.engine.wait_idle(10)
        again = [manager.add_task(note, "", idempotency_key=f"bad-{number}") for number in (3, 2)]
        assert set(again).isdisjoint(failed)
    manager.stop()


def test_what_is_remembered_of_claims_is_what_the_store_may_not_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claimed_keys, "_MANY", 10)
    stored = [0]
    keys = claimed_keys.ClaimedKeys(tmp_path, "journal-1", "store", lambda: stored[0])
    for seq in range(1, 1000):  # one key, whose tasks fail one after the other
        with keys.turn("note", "key") as key:
            key.claim(f"task-{seq}")
            key.keep(seq)
        stored[0] = seq - 3
    assert len(keys._events) <= 20
    with keys.turn("note", "key") as key:
        last = key.last_claim()
        assert last is not None
        assert last.task_id == "task-999"
    keys.close()
