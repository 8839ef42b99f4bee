"""Termination signals are chained, whoever comes and goes in whatever order."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest
from fastapi import FastAPI

from otel_taskflow import TaskManager


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["first out first", "last out first"])
def test_the_handler_of_who_stays_is_not_taken_away_by_who_leaves(tmp_path: Path, order: tuple[int, int]) -> None:
    managers = [TaskManager(dir=str(tmp_path), name=name) for name in ("one", "two")]
    heard: list[str] = []

    async def live() -> None:
        apps = [FastAPI(), FastAPI()]
        lifespans = []
        for manager, app in zip(managers, apps, strict=True):
            manager.init_app(app)
            lifespans.append(app.router.lifespan_context(app))
            await lifespans[-1].__aenter__()
        leaves, stays = order
        await lifespans[leaves].__aexit__(None, None, None)
        managers[stays].on_stop(lambda: heard.append("stays"))
        signal.raise_signal(signal.SIGTERM)
        await asyncio.sleep(0)
        await lifespans[stays].__aexit__(None, None, None)

    before = signal.signal(signal.SIGTERM, lambda *_: heard.append("server"))
    try:
        asyncio.run(live())
        signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == ["stays", "server", "server"]
