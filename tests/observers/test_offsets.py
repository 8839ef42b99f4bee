from __future__ import annotations

from pathlib import Path

import pytest

from otel_taskflow.consumers.observer_offsets import ObserverOffsets, file_name


def test_what_was_saved_is_loaded_by_the_next_process(tmp_path: Path) -> None:
    ObserverOffsets(tmp_path).save("FileLogger(/var/log/app.log)", "journal", 42)
    assert ObserverOffsets(tmp_path).load("FileLogger(/var/log/app.log)", "journal") == 42


def test_observers_and_journals_are_kept_apart(tmp_path: Path) -> None:
    offsets = ObserverOffsets(tmp_path)
    offsets.save("a", "first", 1)
    offsets.save("b", "first", 2)
    offsets.save("a", "second", 3)
    assert [offsets.load(*key) for key in (("a", "first"), ("b", "first"), ("a", "second"))] == [1, 2, 3]
    assert offsets.load("b", "second") == 0


def test_a_journal_that_is_gone_is_forgotten_for_all(tmp_path: Path) -> None:
    offsets = ObserverOffsets(tmp_path)
    offsets.save("a", "gone", 1)
    offsets.save("b", "gone", 2)
    offsets.save("b", "there", 3)
    offsets.forget("gone")
    assert [offsets.load("a", "gone"), offsets.load("b", "gone"), offsets.load("b", "there")] == [0, 0, 3]


def test_without_a_folder_nothing_is_kept() -> None:
    offsets = ObserverOffsets(None)
    offsets.save("a", "journal", 1)
    offsets.forget("journal")
    assert offsets.load("a", "journal") == 0


def test_a_file_that_cannot_be_read_counts_as_nothing(tmp_path: Path) -> None:
    offsets = ObserverOffsets(tmp_path)
    offsets.save("a", "journal", 1)
    (tmp_path / "observers" / "a" / "journal").write_bytes(b"\xff\x00")
    assert offsets.load("a", "journal") == 0


def test_a_folder_that_cannot_be_written_harms_nobody(tmp_path: Path) -> None:
    (tmp_path / "observers").write_text("a file is in the way")
    offsets = ObserverOffsets(tmp_path)
    offsets.save("a", "journal", 1)
    offsets.forget("journal")
    assert offsets.load("a", "journal") == 0


@pytest.mark.parametrize("name", ["../../etc", ".", "..", "a/b", "x" * 1000, "Grüße\n", "\ud800", "a\x00b"])
def test_any_name_becomes_one_file_in_the_folder(tmp_path: Path, name: str) -> None:
    offsets = ObserverOffsets(tmp_path)
    offsets.save(name, "journal", 7)
    assert offsets.load(name, "journal") == 7
    assert len(list((tmp_path / "observers").iterdir())) == 1
    assert len(file_name(name)) <= 100


def test_long_names_that_differ_at_the_end_are_kept_apart() -> None:
    assert file_name("x" * 500 + "a") != file_name("x" * 500 + "b")
