"""What ``store=`` may be."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from otel_taskflow import TaskManager
from otel_taskflow.errors import ConfigurationError, StoreError
from otel_taskflow.stores.memory import MemoryStore
from otel_taskflow.stores.opening import open_store
from otel_taskflow.stores.sqlite.store import SqliteStore


def test_none_is_a_file_in_the_folder(tmp_path: Path) -> None:
    store = open_store(None, tmp_path)
    assert isinstance(store, SqliteStore)
    assert store.location == str(tmp_path / "tasks.db")
    assert store.is_persistent


def test_none_without_a_folder_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="folder"):
        open_store(None, None)


def test_memory_is_a_private_store() -> None:
    store = open_store("memory", None)
    assert isinstance(store, MemoryStore)
    assert not store.is_persistent
    assert open_store("memory", None) is not store


@pytest.mark.parametrize("spec", ["jobs.db", "sqlite:///jobs.db", Path("jobs.db")])
def test_a_relative_path_is_resolved_once(spec: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_store(spec, None)
    monkeypatch.chdir("/")
    assert store.location == str(tmp_path / "jobs.db")


@pytest.mark.parametrize("form", ["{path}", "sqlite:///{path}"])
def test_an_absolute_path(form: str, tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    assert open_store(form.format(path=path), None).location == str(path)


def test_a_home_folder_is_resolved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert open_store("~/jobs.db", None).location == str(tmp_path / "jobs.db")


def test_an_object_with_the_members_of_a_store_is_taken_as_it_is() -> None:
    store = MemoryStore()
    assert open_store(store, None) is store


@pytest.mark.parametrize("spec", [42, "", "  ", b"x", "sqlite:///", "sqlite://host/x.db", "redis://", object, [], True])
def test_anything_else_is_refused_with_the_remedy(spec: object) -> None:
    with pytest.raises(ConfigurationError, match=r'use a path, "sqlite:///file\.db", "memory" or an object'):
        open_store(spec, None)


@pytest.mark.parametrize("spec", ["sqlite:jobs.db", "file:jobs.db", "file:jobs.db?mode=memory", "File:/tmp/jobs.db"])
def test_no_file_is_named_after_a_url_that_is_not_understood(spec: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"store='{spec.partition('?')[0]}' is not supported; use a path, "):
        open_store(spec, None)


@pytest.mark.parametrize("parameters", ["?mode=ro", "#jobs", "?mode=ro#jobs"])
def test_no_file_is_named_after_the_parameters_of_a_url(parameters: str) -> None:
    told = rf"store='sqlite:///jobs\.db' is followed by '\{parameters[0]}', .* leave them out, or .* pathlib\.Path"
    with pytest.raises(ConfigurationError, match=told):
        open_store(f"sqlite:///jobs.db{parameters}", None)


@pytest.mark.parametrize("name", ["jobs.db?mode=ro", "jobs#1.db", "sqlite:jobs.db", "file:jobs.db?mode=memory"])
def test_a_file_may_have_any_name_where_it_is_given_as_a_path(name: str, tmp_path: Path) -> None:
    store = open_store(tmp_path / name, None)
    store.writer.open()
    store.writer.close()
    assert name in [each.name for each in tmp_path.iterdir()]


def test_a_relative_file_may_have_any_name_where_it_is_given_as_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert open_store(Path("file:jobs.db?mode=ro"), None).location == str(tmp_path / "file:jobs.db?mode=ro")


class Half:
    """Writer and reader, and nothing that says what it is."""

    writer = object()

    def reader(self) -> object:
        return object()


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (Half(), "is no store, it lacks is_persistent, location; use .* is_persistent and location"),
        (MemoryStore, "is a class, not an object of it; use .* or an object with writer"),
    ],
    ids=["half a store", "a class"],
)
def test_half_a_store_and_a_class_are_refused_when_the_manager_is_made(spec: Any, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        TaskManager(store=spec)


@pytest.mark.parametrize("spec", [":memory:", "sqlite:///:memory:", "file::memory:", "MEMORY", " memory "])
def test_no_file_is_named_after_memory_by_mistake(spec: str) -> None:
    with pytest.raises(ConfigurationError, match='write store="memory"'):
        open_store(spec, None)


@pytest.mark.parametrize("spec", ["a\0b", "\ud800", "sqlite:///a\0b", "~nosuch-user/tasks.db"])
def test_what_no_file_can_be_called_is_refused(spec: str) -> None:
    with pytest.raises(ConfigurationError, match=r'is no path: .*; use a path, "sqlite:///file\.db"'):
        open_store(spec, None)


def test_a_folder_is_told_to_be_one_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    with pytest.raises(StoreError, match="state is a folder, not a file; choose another store="):
        open_store(tmp_path / "state", None).writer.open()
    assert [each.name for each in tmp_path.iterdir()] == ["state"]


@pytest.mark.parametrize(
    "url", ["postgres://ann:s3cret@db/tasks", "redis://:s3cret@h", "postgres://ann:s3@cret@db/x?p=1"]
)
def test_a_password_is_never_shown(url: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        open_store(url, None)
    assert "cret" not in str(error.value)
    assert url.partition("://")[0] in str(error.value)


@pytest.mark.parametrize("url", ["postgres://db/tasks?password=s3cret", "mysql://h/x?user=a&sslpassword=s3cret#s3cret"])
def test_a_password_among_the_parameters_is_never_shown(url: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        open_store(url, None)
    assert "s3cret" not in str(error.value)


def test_files_are_for_their_user_alone(tmp_path: Path) -> None:
    old_mask = os.umask(0)
    try:
        store = open_store(tmp_path / "new folder" / "jobs.db", None)
        store.writer.open()
        modes = {path.name: oct(path.stat().st_mode & 0o777) for path in (tmp_path / "new folder").iterdir()}
        assert modes == dict.fromkeys(("jobs.db", "jobs.db-wal", "jobs.db-shm", "jobs.db-opening.lock"), "0o600")
        assert oct((tmp_path / "new folder").stat().st_mode & 0o777) == "0o700"
        store.writer.close()
    finally:
        os.umask(old_mask)
