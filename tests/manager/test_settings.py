"""Settings: from arguments, else the environment, else the default; errors at the door."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from otel_taskflow.errors import ConfigurationError, StoreError, UnsupportedParameterError
from otel_taskflow.journal import folder
from otel_taskflow.journal.segment import SIZE
from otel_taskflow.manager import Settings, TaskManager
from otel_taskflow.observers import FileLogger, InMemoryLogger
from otel_taskflow.stores.memory import MemoryStore
from otel_taskflow.stores.sqlite.store import SqliteStore
from tests.conftest import ROOT


def test_an_argument_wins_over_the_environment_and_that_over_the_default() -> None:
    environ = {
        "OTEL_TASKFLOW_DIR": "/from/env",
        "OTEL_TASKFLOW_STRICT_ARGS": "1",
        "OTEL_TASKFLOW_RETENTION_DAYS": "2.5",
    }
    settings = Settings.load({"dir": "/given", "strict_args": None}, environ)
    assert (settings.dir, settings.strict_args, settings.retention_days) == ("/given", True, 2.5)
    assert Settings.load({}, {}).dir == ".otel_taskflow"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"max_sync_threads": 0}, "max_sync_threads=0 must be at least 1"),
        ({"max_sync_threads": "many"}, "max_sync_threads='many' must be a whole number"),
        ({"shutdown_grace": -1.0}, "shutdown_grace=-1.0 must be 0 or more"),
        ({"strict_args": "yes"}, "strict_args='yes' must be True or False"),
        ({"durability": "always"}, "durability='always' cannot be used: use one of process, power"),
        ({"trace_mode": "none"}, "trace_mode='none'"),
        ({"name": " "}, "name='' must be a text"),
        ({"retention_days": float("nan")}, "retention_days=nan"),
        ({"dir": ""}, "dir='' must name a folder"),
        ({"name": Path("x")}, "name=.*Path('x') must be a text"),
        ({"dir": 3}, "dir=3 must be a text"),
        ({"dir": "a\0b"}, "must name a folder: no file can have a NUL"),
        ({"dir": "\ud800"}, "must name a folder: .* half of a surrogate pair"),
        ({"dir": "~nosuch-user/x"}, "must name a folder: there is no home folder for its ~; write it out"),
        ({"name": "\ud800"}, "name='.*ud800' has half of a surrogate pair"),
        ({"max_process_workers": -1}, "max_process_workers=-1 must be at least 1"),
        ({"journal_budget": 8 * 1024**2 - 1}, "journal_budget=8388607 must be at least 8388608"),
        ({"max_pending": 10**30}, "max_pending=1.* must be at most 9223372036854775807"),
        ({"retention_days": 10**5000}, "retention_days=<an int of 16610 bits> must be at most 36500"),
        ({"shutdown_grace": 1e300}, "shutdown_grace=.* must be at most 3153600000"),
    ],
)
def test_a_wrong_value_is_an_error_that_names_it_and_the_remedy(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words.replace("(", "\\(").replace(")", "\\)")):
        Settings.load(given, {})


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("MAX_PENDING", "lots", "a whole number, such as 100"),
        ("RETENTION_BYTES", "2GB", "a whole number of bytes, such as 2147483648"),
        ("RETENTION_DAYS", "week", "a number of days, such as 7"),
        ("SHUTDOWN_GRACE", "10s", "a number of seconds, such as 10"),
    ],
)
def test_a_wrong_variable_is_an_error_that_names_it_and_the_remedy(name: str, value: str, remedy: str) -> None:
    with pytest.raises(ConfigurationError, match=f"OTEL_TASKFLOW_{name}='{value}' cannot be used: use {remedy}"):
        Settings.load({}, {f"OTEL_TASKFLOW_{name}": value})


def test_the_least_budget_of_a_journal_is_two_segments() -> None:
    assert Settings.load({"journal_budget": 2 * SIZE}, {}).journal_budget == 2 * SIZE
    with pytest.raises(ConfigurationError, match="journal_budget"):
        Settings.load({"journal_budget": 2 * SIZE - 1}, {})


@pytest.mark.parametrize("text", ["memory", "MEMORY", " memory "])
def test_a_variable_means_memory_in_any_case(text: str) -> None:
    assert Settings.load({}, {"OTEL_TASKFLOW_STORE": text}).store == "memory"


def test_a_folder_may_be_given_by_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Settings.load({"dir": "~/state"}, {}).folder == tmp_path / "state"
    assert Settings.load({}, {"OTEL_TASKFLOW_DIR": "~/state"}).folder == tmp_path / "state"


@pytest.mark.parametrize("store", ["postgres://u:secret@h/db", 42, "redis://x"])
def test_an_unknown_store_is_an_error_and_leaves_nothing_behind(store: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        TaskManager(store=store, dir=str(tmp_path / "state"))
    assert "secret" not in str(caught.value)
    manager = TaskManager(store=store, dir=str(tmp_path / "state"), testing=True)
    object.__setattr__(manager.settings, "testing", False)
    with pytest.raises(ConfigurationError):
        manager.start()
    assert not manager.is_started
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    "parameter",
    [
        "encrypt_args_key",
        "queues",
        "snapshot_interval",
        "merged_list_ttl",
        "registry_ttl",
    ],
)
def test_what_the_reference_has_and_we_have_not_is_refused_by_name(parameter: str) -> None:
    with pytest.raises(UnsupportedParameterError, match=parameter):
        TaskManager(**{parameter: 1})


def test_a_misspelt_parameter_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="no parameter 'retrys'"):
        TaskManager(retrys=3)
    with pytest.raises(ConfigurationError, match=r"task\(\) has no parameter 'retrys'"):
        TaskManager().task(retrys=3)
    with pytest.raises(UnsupportedParameterError, match="priority"):
        TaskManager().task(priority=3)


def test_the_names_of_the_reference_mean_the_same(tmp_path: Path) -> None:
    memory = InMemoryLogger()
    manager = TaskManager(
        snapshot_db=str(tmp_path / "tasks.db"),
        loggers=[memory],
        log_file=str(tmp_path / "tasks.log"),
        log_file_max_bytes=1000,
        log_lifecycle=True,
        requeue_pending=True,
    )
    assert manager.settings.store == str(tmp_path / "tasks.db")
    first, second = manager._blueprint.observers
    assert first is memory
    assert isinstance(second, FileLogger)


def test_a_setting_given_under_two_names_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="given twice"):
        TaskManager(store="a.db", snapshot_db="b.db")


def test_hermetic_tests_keep_tasks_in_memory_whatever_the_store() -> None:
    testing = {"OTEL_TASKFLOW_TESTING": "1"}
    settings = Settings.load({"store": "tasks.db", "durability": "power"}, testing)
    assert (settings.store, settings.testing) == ("tasks.db", None)
    hermetic = settings.at_start(testing)
    assert (hermetic.store, hermetic.durability, hermetic.testing) == ("memory", "process", True)
    assert settings.at_start({}) is settings
    assert Settings.load({"testing": False}, testing).at_start(testing).store is None
    assert Settings.load({"testing": True}, {}).at_start({}).store == "memory"


QUIET = """
import threading, os
from fastapi import FastAPI
from otel_taskflow import TaskAdmin, TaskManager
manager = TaskManager()
app = FastAPI()
TaskAdmin(app, manager)

@manager.task(retries=2)
def work() -> None: ...

assert threading.active_count() == 1, threading.enumerate()
assert os.listdir() == [], os.listdir()
"""


def test_importing_an_app_makes_no_folder_and_no_thread(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", QUIET], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, check=True, timeout=60)
    assert list(tmp_path.iterdir()) == []


def test_two_managers_of_one_name_on_one_folder_cannot_run_at_once(tmp_path: Path) -> None:
    first, second = TaskManager(dir=str(tmp_path)), TaskManager(dir=str(tmp_path))
    other = TaskManager(dir=str(tmp_path), name="other")
    try:
        first.start()
        with pytest.raises(ConfigurationError, match="give one of them another name="):
            second.start()
        other.start()
        first.stop()
        second.start()
    finally:
        for manager in (first, second, other):
            manager.stop()


def test_a_method_that_is_not_built_is_named_in_the_error() -> None:
    with pytest.raises(AttributeError, match=r"TaskManager.schedule\(\) is not part of this release"):
        TaskManager().schedule(every=5)


def test_against_a_power_cut_journal_and_store_are_synced(tmp_path: Path) -> None:
    manager = TaskManager(dir=str(tmp_path), durability="power")
    try:
        manager.add_task(print)
        assert manager.drain()
        assert manager.runtime.writer.synced == manager.runtime.writer.end
    finally:
        manager.stop()


@pytest.mark.parametrize("is_object", [False, True])
def test_a_store_on_a_network_file_system_is_refused_though_its_journal_is_on_a_local_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_object: bool
) -> None:
    share = tmp_path / "share"
    monkeypatch.setattr(folder, "file_system_of", lambda path: "fuse.gcsfuse" if path.is_relative_to(share) else "ext4")
    path = share / "tasks.db"
    manager = TaskManager(dir=str(tmp_path / "local"), store=SqliteStore(path) if is_object else path)
    with pytest.raises(StoreError, match=r"share/tasks.db is on a network file system.*store= or OTEL_TASKFLOW_STORE"):
        manager.start()
    assert not share.exists()


def test_a_store_object_in_memory_needs_no_folder(tmp_path: Path) -> None:
    manager = TaskManager(dir=str(tmp_path / "state"), store=MemoryStore())
    manager.add_task(print)
    assert manager.drain()
    assert manager.runtime.root is None
    manager.stop()
    assert list(tmp_path.iterdir()) == []
