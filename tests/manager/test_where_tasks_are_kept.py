"""Whoever starts an app can see where its tasks are: the folder is relative, and logging hides what is below a warning."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from otel_taskflow import TaskAdmin, TaskManager
from otel_taskflow.stores.memory import MemoryStore

CASES = [
    ({}, "{folder}/.otel_taskflow/tasks.db"),
    ({"dir": "state"}, "{folder}/state/tasks.db"),
    ({"store": "other/shop.db"}, "{folder}/other/shop.db, their journals in {folder}/.otel_taskflow"),
    ({"store": "memory"}, "memory, until this process ends"),
    ({"store": MemoryStore()}, "memory, until this process ends"),
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("settings", "place"), CASES)
def test_a_start_logs_the_absolute_path(
    folder: Path, settings: dict[str, Any], place: str, caplog: pytest.LogCaptureFixture
) -> None:
    manager = TaskManager(**settings)
    with caplog.at_level(logging.INFO, "otel_taskflow"):
        manager.start()
    manager.stop()
    assert f"otel_taskflow: tasks are kept in {place.format(folder=folder)}" in caplog.messages


@pytest.mark.parametrize(("settings", "place"), CASES)
def test_an_app_that_prints_the_link_says_it_beside(
    folder: Path, settings: dict[str, Any], place: str, capfd: pytest.CaptureFixture[str]
) -> None:
    app = FastAPI()
    TaskAdmin(app, TaskManager(**settings))
    with TestClient(app):
        said = capfd.readouterr().err.splitlines()
    kept, link = [line for line in said if line.startswith("otel_taskflow: ")]
    assert kept == f"otel_taskflow: tasks are kept in {place.format(folder=folder)}"
    assert link.startswith("otel_taskflow: open the dashboard at http://<this server>/tasks/dashboard?token=")
