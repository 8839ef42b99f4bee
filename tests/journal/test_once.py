"""What is made once is the same for all, and private."""

from __future__ import annotations

import os
import stat
import threading
import uuid
from pathlib import Path

import pytest

from otel_taskflow.journal.discard import DISCARDED
from otel_taskflow.journal.folder import (
    employer_of,
    folder_id,
    is_in_namespace,
    is_neighbour,
    new_journal_id,
    new_worker_journal_id,
)
from otel_taskflow.journal.once import read_or_make


def make() -> str:
    return uuid.uuid4().hex


def test_all_who_come_at_once_get_the_same(tmp_path: Path) -> None:
    found: list[str] = []
    everybody = threading.Barrier(8)

    def come() -> None:
        everybody.wait(10)
        found.append(folder_id(tmp_path))

    threads = [threading.Thread(target=come) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    [path] = tmp_path.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("damage", [b"", b"half", b"\xff" * 40])
def test_what_is_damaged_is_made_anew(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "id").write_bytes(damage)
    made = read_or_make(tmp_path / "id", make)
    assert read_or_make(tmp_path / "id", make) == made
    assert [path.name for path in tmp_path.iterdir()] == ["id"]


def test_a_file_system_without_hard_links_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    made = read_or_make(tmp_path / "id", make)
    assert read_or_make(tmp_path / "id", make) == made


def test_a_journal_says_of_which_folder_and_manager_it_is() -> None:
    one, two = make(), make()
    journal_id = new_journal_id("mail.out", one)
    assert is_in_namespace(journal_id, "mail.out")
    assert is_in_namespace(new_journal_id("mail.out"), "mail.out")
    assert not is_in_namespace(journal_id, "mail")
    assert not is_in_namespace(journal_id, f"mail.out.{one}")
    assert is_neighbour(journal_id, new_journal_id("mail.out", one))
    assert not is_neighbour(journal_id, new_journal_id("mail.out", two))
    assert not is_neighbour(journal_id, new_journal_id("mail", one))


@pytest.mark.parametrize("letter", ["n", "-", ".", "é", "注"])
def test_a_manager_of_any_name_has_journals_that_a_folder_can_hold(letter: str) -> None:
    name, folder = letter * 500, make()
    journal_id = new_journal_id(name, folder)
    worker_id = new_worker_journal_id(journal_id)
    assert len(f"{DISCARDED}{worker_id}") < 255
    assert employer_of(worker_id) == journal_id
    assert is_in_namespace(journal_id, name)
    assert is_in_namespace(worker_id, name)
    assert not is_in_namespace(journal_id, f"{name}{letter}")
    assert is_neighbour(journal_id, new_journal_id(name, folder))


def test_a_name_that_is_not_long_stands_in_the_id_as_it_is() -> None:
    assert new_journal_id("n" * 100).startswith("n" * 100 + "-")
