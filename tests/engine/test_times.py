"""The times of an attempt: it ends after all that happened in it."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from typing import Any

from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

from otel_taskflow import task_log
from otel_taskflow.manager import TaskManager
from tests.engine.conftest import Seen


class SlowStart(SpanProcessor):
    """Makes the begin of an attempt take long, as a busy machine does."""

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        time.sleep(0.05)


def test_an_attempt_does_not_end_before_its_last_line() -> None:
    provider = TracerProvider()
    provider.add_span_processor(SlowStart())
    manager = TaskManager(store="memory", tracer_provider=provider)
    seen = Seen(manager)

    @manager.task
    def says() -> None:
        task_log("last")

    try:
        task_id = manager.add_task(says)
        assert manager.drain()
        attempt = seen.attempt(task_id, 0)
        [line] = asyncio.run(seen.logs(task_id))
    finally:
        manager.stop()
    assert attempt.ended_at is not None
    assert attempt.started_at <= line.time <= attempt.ended_at


def test_a_clock_that_is_set_while_an_attempt_ends_does_not_move_its_retry(manager: TaskManager, seen: Seen) -> None:
    day, looks = 86_400 * 10**9, itertools.count()
    fails = threading.Event()

    def clock() -> int:
        """Set a day ahead right after the end of the attempt was decided."""
        return time.time_ns() + (day if fails.is_set() and next(looks) else 0)

    @manager.task(retries=1, delay=3600.0)
    def fail() -> None:
        fails.set()
        raise ValueError

    object.__setattr__(manager.runtime.parts, "clock", clock)
    task_id = manager.add_task(fail)
    deadline = time.monotonic() + 10
    while seen.task(task_id).attempts < 1 or seen.attempt(task_id, 0).ended_at is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(0.2)
    assert seen.task(task_id).attempts == 1
