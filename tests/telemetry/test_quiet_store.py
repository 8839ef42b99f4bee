"""A store of the user's own talks through instrumented drivers: what we do with it makes no spans, what tasks do does."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from pathlib import Path
from typing import Any

from opentelemetry.instrumentation.utils import is_instrumentation_enabled

from otel_taskflow import TaskManager
from otel_taskflow.stores.sqlite.store import SqliteStore
from tests.crash.rows import Rows


class InstrumentedStore:
    """Notes for each call whether an instrumented driver would make a span of it."""

    is_persistent = True

    def __init__(self, path: Path) -> None:
        self._store = SqliteStore(path)
        self.location = str(path)
        self.spans: defaultdict[str, set[bool]] = defaultdict(set)
        self.writer: Any = _Noting(self._store.writer, self.spans)

    def reader(self) -> Any:
        return _Noting(self._store.reader(), self.spans)


class _Noting:
    def __init__(self, half: object, spans: defaultdict[str, set[bool]]) -> None:
        self._half = half
        self._spans = spans

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._half, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            self._spans[name].add(is_instrumentation_enabled())
            return method(*args, **kwargs)

        return call


def test_nothing_that_we_do_with_a_store_makes_spans(tmp_path: Path) -> None:
    store = InstrumentedStore(tmp_path / "tasks.db")
    manager = TaskManager(dir=str(tmp_path), store=store)

    def task() -> None:
        """A task."""

    async def use() -> None:
        manager.add_task(task, idempotency_key="once")
        await manager.level()
        await manager.adrain()

    asyncio.run(use())
    Rows(tmp_path).until(lambda: {"owners", "take_commands", "prune", "maintain"} <= store.spans.keys(), "housekeeping")
    manager.stop()
    assert {"open", "write", "find_idempotent", "forget_journal", "close"} <= store.spans.keys()
    assert {name for name, spans in store.spans.items() if True in spans} == set()


def test_a_task_that_housekeeping_takes_over_is_not_kept_quiet(tmp_path: Path) -> None:
    running, goes_on = threading.Event(), threading.Event()
    heard: list[bool] = []

    def blocking() -> None:
        running.set()
        goes_on.wait(10)

    def left() -> None:
        heard.append(is_instrumentation_enabled())

    manager = TaskManager(dir=str(tmp_path), store=InstrumentedStore(tmp_path / "tasks.db"), max_sync_threads=1)
    manager.task(left)
    manager.add_task(blocking)
    assert running.wait(10)
    task_id = manager.add_task(manager.task(left))
    manager.stop(grace=0.0)
    goes_on.set()
    manager.start()
    Rows(tmp_path).settled(task_id)
    manager.stop()
    assert heard == [True]
