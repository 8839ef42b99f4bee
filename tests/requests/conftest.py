"""A real app with a manager on a folder, behind FastAPI's test client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from otel_taskflow import TaskManager
from otel_taskflow.model import TaskRow


class Site:
    """An app, its manager, its client, and what happened in which order."""

    def __init__(self, folder: Path) -> None:
        self.manager = TaskManager(dir=str(folder))
        self.app = FastAPI()
        self.manager.init_app(self.app)
        self.client = TestClient(self.app, raise_server_exceptions=False)
        self.happened: list[str] = []
        self.ids: list[str] = []

    def note(self, what: str) -> None:
        """A task: says that it ran."""
        self.happened.append(what)

    def rows(self) -> list[TaskRow]:
        """The tasks in the order they were added, when all have ended."""
        assert self.manager.drain()
        found = self.manager.runtime.store.writer.load_tasks(self.ids)
        return [found[task_id] for task_id in self.ids]

    def row(self) -> TaskRow:
        [row] = self.rows()
        return row

    def post(self, path: str = "/", **options: Any) -> int:
        return self.client.post(path, **options).status_code


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    with made.client:
        yield made
