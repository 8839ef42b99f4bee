"""The doctor where its user, or everybody, may do too little with the files: the remedy is not that of a damaged one."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from otel_taskflow.cli.diagnosis import folder, spool, store
from otel_taskflow.cli.diagnosis.access import AS_THE_APP, MOUNT_WRITABLE
from otel_taskflow.cli.diagnosis.findings import OK, PROBLEM
from otel_taskflow.errors import SpoolError, StoreError
from otel_taskflow.journal.writer import JournalWriter
from otel_taskflow.ports import JournalHeader
from otel_taskflow.setup.buffer import spool_path
from tests.conftest import ROOT, unmeasured

STRANGER = """
import contextlib, io, os, sys
from otel_taskflow.cli import main

closed, other, *arguments = sys.argv[1:]
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    main([*arguments, other])
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
sys.exit(main([*arguments, closed]))
"""
"""Looks once into a place of no importance, so that all is imported before it is nobody: root may look into anything."""


def fail(error: type[Exception]) -> None:
    """As SQLite does where it may not write."""
    try:
        raise sqlite3.OperationalError("unable to open database file")
    except sqlite3.OperationalError as cause:
        raise error("it cannot be opened; see to it") from cause


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a store and a spool that cannot be opened."""
    for path in (tmp_path / "tasks.db", spool_path(tmp_path)):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    monkeypatch.setattr(store, "inspect", lambda _: fail(StoreError))
    monkeypatch.setattr(spool, "inspect", lambda _: fail(SpoolError))
    return tmp_path


def remedies(root: Path) -> list[str]:
    found = [*store.check(None, root), *spool.check(spool_path(root), root)]
    assert [(each.level, each.text) for each in found] == [(PROBLEM, "it cannot be opened; see to it")] * 2
    return [each.remedy for each in found]


@pytest.fixture
def read_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file system, by its own account."""
    real = os.statvfs

    def statvfs(path: os.PathLike[str] | str | int) -> os.statvfs_result:
        fields = tuple(real(path))
        return os.statvfs_result((*fields[:8], os.ST_RDONLY, *fields[9:]))

    monkeypatch.setattr(os, "statvfs", statvfs)


def test_files_of_another_user_are_for_the_user_of_the_app(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert remedies(files) == [AS_THE_APP] * 2


@pytest.mark.usefixtures("read_only")
def test_files_of_a_read_only_file_system_need_one_that_can_be_written(files: Path) -> None:
    assert remedies(files) == [MOUNT_WRITABLE] * 2


def test_where_neither_damage_nor_rights_are_the_cause_the_error_has_its_own_remedy(files: Path) -> None:
    assert remedies(files) == ["", ""]


@pytest.mark.parametrize("what", ["store", "spool"])
def test_a_damaged_file_is_said_to_be_moved_aside(tmp_path: Path, what: str) -> None:
    path = tmp_path / "tasks.db" if what == "store" else spool_path(tmp_path)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"this is no database" * 100)
    (found,) = store.check(None, tmp_path) if what == "store" else spool.check(path, tmp_path)
    assert found.remedy.startswith("a damaged file is moved aside at the next start")


def test_a_read_only_file_system_is_told_from_a_folder_of_another_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    assert next(iter(folder.check(tmp_path, is_expected=True))).level == OK
    monkeypatch.setattr(os, "access", lambda *_: False)
    found = next(iter(folder.check(tmp_path, is_expected=True)))
    assert (found.text, found.remedy) == ("this user cannot write into it (mode 700)", AS_THE_APP)
    request.getfixturevalue("read_only")
    found = next(iter(folder.check(tmp_path, is_expected=True)))
    assert (found.text, found.remedy) == ("its file system is mounted read-only (mode 700)", MOUNT_WRITABLE)


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Path]:
    """A folder that nobody may look into, but root."""
    root = tmp_path / "state"
    (root / "journal").mkdir(parents=True)
    root.chmod(0)
    yield root
    root.chmod(0o700)


def as_a_stranger(closed: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What a command says of the folder to a user who may not look into it."""
    return subprocess.run(
        [sys.executable, "-c", STRANGER, str(closed), str(closed.with_name("other")), *arguments],
        cwd=ROOT,
        # A stranger cannot write what coverage measures.
        env=unmeasured(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_folder_that_this_user_may_not_look_into_is_told_with_the_remedy(closed: Path) -> None:
    said = as_a_stranger(closed, "doctor", "--dir")
    assert (said.returncode, said.stderr) == (1, "")
    assert "see the cause" not in said.stdout
    assert said.stdout.count(f"        -> {AS_THE_APP}\n") == 4  # folder, store, journals, spool
    assert "logs to http://localhost:4318/v1/logs" in said.stdout


@pytest.mark.parametrize("what", ["journal", "spool"])
def test_what_this_user_may_not_look_into_is_not_dumped_with_the_remedy(closed: Path, what: str) -> None:
    said = as_a_stranger(closed, what, "dump")
    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr.startswith(f"otel-taskflow: {closed}: it cannot be looked at: [Errno 13] Permission denied")
    assert said.stderr.endswith(f"; {AS_THE_APP}\n")


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that everybody may look into; pytest's own are private."""
    with TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        yield root


def test_a_journal_that_this_user_may_not_look_into_holds_up_no_other(public: Path) -> None:
    for name, mode in (("a", 0), ("b", 0o755)):
        journal = JournalWriter.create(public, JournalHeader(name, 0, 7, "host", "", "w"))
        assert journal.folder is not None
        for file in journal.folder.iterdir():
            file.chmod(0o644)
        journal.folder.chmod(mode)
    (public / "journal").chmod(0o755)
    said = as_a_stranger(public, "journal", "dump")
    (public / "journal" / "a").chmod(0o700)
    assert said.returncode == 1
    assert json.loads(said.stdout.splitlines()[0])["journal"] == "b"
    assert f"{public / 'journal' / 'a'}: it cannot be looked at" in said.stderr
