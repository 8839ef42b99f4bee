"""What fastapi-taskflow has under some name is there, or refused with what to use instead."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timezone
from pathlib import Path

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient

import otel_taskflow
from otel_taskflow import (
    ConfigurationError,
    TaskAdmin,
    TaskConfig,
    TaskManager,
    TaskRecord,
    TaskStatus,
    UnsupportedParameterError,
)
from otel_taskflow.manager.compatibility import NOT_BUILT_NAMES
from otel_taskflow.web.options import AdminOptions


@pytest.mark.parametrize("name", sorted(NOT_BUILT_NAMES))
def test_a_name_that_is_not_here_says_what_to_use_instead(name: str) -> None:
    with pytest.raises(ImportError, match=f"otel_taskflow has no {name}: ."):
        exec(f"from otel_taskflow import {name}")


def test_any_other_name_is_missing_as_usual() -> None:
    assert not hasattr(otel_taskflow, "Nonsense")
    with pytest.raises(ImportError, match="cannot import name 'Nonsense'"):
        exec("from otel_taskflow import Nonsense")


@pytest.mark.parametrize(
    ("name", "words"), [("store", r"await task_manager.reader\(\)"), ("logger", "observers="), ("fernet", "encrypted")]
)
def test_an_attribute_that_is_not_here_says_what_to_use_instead(name: str, words: str) -> None:
    with pytest.raises(AttributeError, match=f"TaskManager.{name} is not part of this release: .*{words}"):
        getattr(TaskManager(), name)


def test_any_other_attribute_is_missing_as_usual() -> None:
    assert not hasattr(TaskManager(), "store")
    with pytest.raises(AttributeError, match="'TaskManager' object has no attribute 'nonsense'"):
        TaskManager().nonsense  # type: ignore[attr-defined]  # noqa: B018


def test_the_admin_takes_the_parameters_of_the_reference_in_its_order() -> None:
    given = ["/admin", True, True, ("ops", "secret"), 60.0, "a secret of many letters", 5.0, "Shop"]
    options = TaskAdmin(FastAPI(), TaskManager(store="memory"), *given).options  # type: ignore[arg-type]
    assert options == AdminOptions(
        path="/admin",
        display_func_args=True,
        auto_install=True,
        auth=("ops", "secret"),
        token_expiry=60.0,
        secret_key="a secret of many letters",
        poll_interval=5.0,
        title="Shop",
    )


def test_a_config_takes_the_parameters_of_the_reference_or_refuses_them_by_name() -> None:
    config = TaskConfig(retries=2, persist=True, priority=None, queue=None)
    assert dataclasses.replace(config, delay=1.0) == TaskConfig(retries=2, delay=1.0)
    with pytest.raises(UnsupportedParameterError, match=r"TaskConfig\(priority=5\)"):
        TaskConfig(priority=5)
    with pytest.raises(UnsupportedParameterError, match=r"TaskConfig\(queue='mail'\)"):
        TaskConfig(queue="mail")


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("loggers", ["FileLogger", "InMemoryLogger", "LifecycleEvent", "LogEvent", "StdoutLogger", "TaskObserver"]),
        ("models", ["LifecycleEvent", "LogEvent", "TaskConfig", "TaskContext", "TaskRecord", "TaskStatus"]),
        ("backends", []),
    ],
)
def test_the_modules_of_the_reference_have_its_names_or_say_what_to_use_instead(module: str, names: list[str]) -> None:
    found = importlib.import_module(f"otel_taskflow.{module}")
    for name in names:
        assert getattr(found, name) is getattr(otel_taskflow, name)
    for name in NOT_BUILT_NAMES:
        with pytest.raises(ImportError, match=f"otel_taskflow has no {name}: ."):
            exec(f"from otel_taskflow.{module} import {name}")
    assert not hasattr(found, "Nonsense")
    with pytest.raises(ImportError, match="cannot import name 'Nonsense'"):
        exec(f"from otel_taskflow.{module} import Nonsense")


def test_rejected_is_a_state_that_no_task_is_in() -> None:
    assert TaskStatus("rejected") is TaskStatus.REJECTED


def test_a_record_takes_the_parameters_of_the_reference_or_refuses_them_by_name() -> None:
    record = TaskRecord("t1", "send", TaskStatus.FAILED, encrypted_payload=None, priority=None)
    assert dataclasses.replace(record, error="x").error == "x"
    with pytest.raises(
        UnsupportedParameterError, match=r"encrypted_payload=\.\.\.\): .*leave encrypted_payload out"
    ) as caught:
        TaskRecord("t1", "send", TaskStatus.FAILED, encrypted_payload=b"cipher")
    assert "cipher" not in str(caught.value)


def test_a_record_survives_its_dictionary() -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)
    record = TaskRecord(
        "t1", "send", TaskStatus.FAILED, created_at=noon, end_time=noon, error="x", tags={"a": "b"}, logs=["y"]
    )
    assert TaskRecord.from_dict(record.to_dict()) == record
    assert TaskRecord.from_dict({**record.to_dict(), "created_at": "2026-01-01T12:00:00", "unknown": 1}) == record


def test_settings_of_a_log_file_that_is_not_there_are_accepted_if_they_are_the_defaults() -> None:
    TaskManager(log_lifecycle=False, log_file_mode="rotate", log_file_backup_count=5)
    with pytest.raises(ConfigurationError, match="log_lifecycle: these belong to log_file="):
        TaskManager(log_lifecycle=True)
    with pytest.raises(ConfigurationError, match="log_lifecycle='yes'"):
        TaskManager(log_lifecycle="yes", log_file="tasks.log")


def test_startup_and_shutdown_can_be_called_from_a_lifespan_of_ones_own(tmp_path: Path) -> None:
    manager = TaskManager(dir=str(tmp_path))
    ran: list[str] = []

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await manager.startup()
        yield
        await manager.shutdown()

    app = FastAPI(lifespan=lifespan)

    @app.post("/")
    def route(tasks=Depends(manager.get_tasks)) -> None:
        tasks.add_task(manager.task(ran.append), "ran")

    with TestClient(app) as client:
        assert manager.is_started
        assert client.post("/").status_code == 200
    assert not manager.is_started
    assert ran == ["ran"]
