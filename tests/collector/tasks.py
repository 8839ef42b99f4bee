"""Tasks that are run in this process and exported by the real exporter."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from otel_taskflow import OTLPExporter, TaskManager, task_log

ORDER: dict[str, Any] = {"order_id": "A1", "total": 10.5, "lines": 3, "paid": True}
"""The extras of the line that ``ship`` writes."""


@contextmanager
def managed(folder: Path, *observers: Any, **settings: Any) -> Iterator[TaskManager]:
    """A manager that ends with all its tasks done and everything delivered."""
    manager = TaskManager(dir=folder / "state", observers=list(observers), **settings)
    try:
        yield manager
        assert manager.drain(60)
        assert manager.force_flush(30.0)
    finally:
        manager.close()


def exporter(endpoint: str) -> OTLPExporter:
    """Sends spans and lines of tasks to a collector."""
    return OTLPExporter(endpoint, signals=("traces", "logs"))


def ship_an_order(folder: Path, endpoint: str) -> None:
    """The seed example: one task with one line that has an ``order_id``."""
    with managed(folder, exporter(endpoint)) as manager:

        @manager.task
        def ship() -> None:
            task_log("Order shipped", **ORDER)

        manager.add_task(ship)


def failing_once(failure: Callable[[], Exception]) -> Callable[[], None]:
    """A task function that fails the first time."""
    ran: list[float] = []

    def flaky() -> None:
        ran.append(time.monotonic())
        if len(ran) == 1:
            raise failure()

    return flaky
