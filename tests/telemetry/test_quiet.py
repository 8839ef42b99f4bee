"""Our own work makes no spans in the app's traces."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import context
from opentelemetry.instrumentation.utils import is_http_instrumentation_enabled, is_instrumentation_enabled

from otel_taskflow import TaskManager
from otel_taskflow.telemetry.quiet import exclude_dashboard, excluded_urls, quiet


def test_instrumentations_are_off_inside_and_on_outside() -> None:
    assert is_instrumentation_enabled()
    with quiet():
        assert not is_instrumentation_enabled()
        assert not is_http_instrumentation_enabled()
    assert is_instrumentation_enabled()


def test_the_callers_context_comes_back() -> None:
    key = context.create_key("mine")
    token = context.attach(context.set_value(key, 1))
    with quiet():
        assert context.get_value(key) is None
    assert context.get_value(key) == 1
    context.detach(token)


def test_the_dashboard_is_excluded_and_its_neighbours_are_not() -> None:
    exclude = exclude_dashboard("/tasks", also=lambda scope: scope["path"] == "/health")
    excluded = ["/tasks", "/tasks/", "/tasks/dashboard", "/tasks/dashboard/stream", "/health"]
    assert [path for path in excluded if not exclude({"path": path})] == []
    assert [path for path in ("/", "/tasksheet", "/my/tasks", "/orders") if exclude({"path": path})] == []
    assert exclude({"path": "/api/tasks/dashboard", "root_path": "/api"})


def test_the_pattern_for_the_contrib_instrumentor_finds_the_same() -> None:
    from opentelemetry.util.http import parse_excluded_urls

    urls = parse_excluded_urls(excluded_urls("/tasks"))
    for path in ("/tasks", "/tasks/", "/tasks?x=1", "/tasks/dashboard/stream", "/prefix/tasks/dashboard"):
        assert urls.url_disabled(f"http://shop.example:8000{path}"), path
    for path in ("/", "/tasksheet", "/orders?next=/tasks/"):
        assert not urls.url_disabled(f"http://shop.example:8000{path}"), path


def test_no_instrumentation_of_sqlite3_sees_our_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Instrumentations replace ``sqlite3.connect``; what does not go through it cannot be traced."""
    connected: list[Any] = []
    monkeypatch.setattr(sqlite3, "connect", lambda *args, **kwargs: connected.append(args))
    manager = TaskManager(dir=str(tmp_path))
    manager.start()
    manager.stop()
    assert connected == []
    assert (tmp_path / "tasks.db").exists()
