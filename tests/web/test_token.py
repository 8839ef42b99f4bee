"""The file that holds the access token: made once, kept private, and never a reason for the app not to start."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from otel_taskflow import ConfigurationError, TaskAdmin, TaskManager
from otel_taskflow.manager.token import access_token
from tests.web.parts import client

pytestmark = pytest.mark.anyio


def hold_text(text: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(text, encoding="utf-8")


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": hold_text(""),
    "short": hold_text("x" * 31),
    "not ascii": hold_text("ä" * 43),
    "a folder": Path.mkdir,
}


def test_a_token_is_for_its_owner_only_and_stays_the_same(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        token = access_token(tmp_path)
    finally:
        os.umask(before)
    assert len(token) >= 32
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600
    assert access_token(tmp_path) == token
    assert [path.name for path in tmp_path.iterdir()] == ["token"]


def test_of_many_that_come_at_once_one_makes_the_token(tmp_path: Path) -> None:
    many = 16
    together = threading.Barrier(many)

    def ask(_: int) -> str:
        together.wait()
        return access_token(tmp_path)

    with ThreadPoolExecutor(many) as threads:
        assert len(set(threads.map(ask, range(many)))) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["token"]


def test_a_token_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[tuple[int, bool]] = []
    sync = os.fsync

    def note(descriptor: int) -> None:
        sync(descriptor)
        synced.append((os.fstat(descriptor).st_size, (tmp_path / "token").exists()))

    monkeypatch.setattr(os, "fsync", note)
    token = access_token(tmp_path)
    assert synced == [(len(token), False)]


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_is_named_with_the_remedy_and_left_alone(
    tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    path = tmp_path / "token"
    damage(path)
    with pytest.raises(ConfigurationError, match="delete it") as caught:
        access_token(tmp_path)
    assert str(path) in str(caught.value)
    assert path.exists()


@pytest.mark.parametrize("options", [{}, {"print_link": False}], ids=["with a link", "without a link"])
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
async def test_an_app_with_a_damaged_token_starts_and_keeps_its_dashboard_closed(
    tmp_path: Path, damage: Callable[[Path], object], options: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    tasks = TaskManager(dir=tmp_path)
    app = FastAPI()
    TaskAdmin(app, tasks, **options)
    damage(tmp_path / "token")
    async with app.router.lifespan_context(app), client(app) as browser:
        refused = await browser.get("/tasks", headers={"authorization": "Bearer " + "x" * 43})
    assert (refused.status_code, "see the app's log" in refused.text) == (503, True)
    assert any(str(tmp_path / "token") in record.getMessage() for record in caplog.records)
