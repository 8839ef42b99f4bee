"""Attempts: one after the other, each with its own end."""

from __future__ import annotations

import asyncio
import functools
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import ContextVar
from typing import Any

import pytest

from otel_taskflow import get_task_context, task_log
from otel_taskflow.errors import QueueFullError
from otel_taskflow.manager import TaskManager
from otel_taskflow.model import AttemptOutcome, TaskStatus
from tests.engine.conftest import Seen


def test_a_task_runs_until_it_succeeds_and_keeps_each_error(manager: TaskManager, seen: Seen) -> None:
    attempts: list[int] = []

    @manager.task(retries=3, delay=0.01)
    def flaky(order: str) -> None:
        context = get_task_context()
        assert context is not None
        attempts.append(context.attempt)
        task_log("trying", order=order)
        if context.attempt < 2:
            raise ValueError(f"failure {context.attempt}")

    task_id = manager.add_task(flaky, "A1")
    assert manager.drain()
    task = seen.task(task_id)
    assert attempts == [0, 1, 2]
    assert (task.status, task.attempts, task.error, task.log_count) == (TaskStatus.SUCCESS, 3, None, 3)
    ends = [seen.attempt(task_id, number) for number in attempts]
    assert [end.outcome for end in ends] == [
        AttemptOutcome.RETRYING,
        AttemptOutcome.RETRYING,
        AttemptOutcome.SUCCEEDED,
    ]
    assert [end.error.message if end.error else None for end in ends] == ["failure 0", "failure 1", None]
    assert len({end.span.span_id for end in ends}) == 3
    assert len({end.span.trace_id for end in ends}) == 1


def test_a_task_that_never_succeeds_fails_with_its_last_error(manager: TaskManager, seen: Seen) -> None:
    @manager.task(retries=1)
    async def hopeless() -> None:
        raise RuntimeError("no way")

    task_id = manager.add_task(hopeless)
    assert manager.drain()
    task = seen.task(task_id)
    assert (task.status, task.attempts) == (TaskStatus.FAILED, 2)
    assert task.error is not None
    assert (task.error.type, task.error.message) == ("RuntimeError", "no way")
    assert "in hopeless" in task.error.stacktrace


def test_only_errors_of_the_named_types_are_retried(manager: TaskManager, seen: Seen) -> None:
    @manager.task(retries=5, retry_on=ConnectionError)
    def strict() -> None:
        raise ValueError("a mistake")

    task_id = manager.add_task(strict)
    assert manager.drain()
    assert seen.task(task_id).attempts == 1


def test_a_waiting_retry_holds_no_thread() -> None:
    manager = TaskManager(store="memory", max_sync_threads=1, shutdown_grace=0.0)
    ran = threading.Event()

    @manager.task(retries=1, delay=30.0)
    def waits() -> None:
        raise ValueError

    try:
        manager.add_task(waits)
        manager.add_task(ran.set)
        assert ran.wait(5)
    finally:
        manager.stop()


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError])
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_whatever_a_task_raises_is_its_own_failure(
    manager: TaskManager, seen: Seen, error: type[BaseException], kind: str
) -> None:
    def raises() -> None:
        raise error("from the task")

    async def raises_async() -> None:
        raise error("from the task")

    task_id = manager.add_task(raises if kind == "sync" else raises_async)
    after = manager.add_task(lambda: None)
    assert manager.drain()
    assert seen.task(task_id).status is TaskStatus.FAILED
    assert seen.task(after).status is TaskStatus.SUCCESS


async def hidden() -> None:
    raise AssertionError("nobody awaits it")


@functools.wraps(hidden)
def wrapped(*args: Any) -> Any:
    return hidden(*args)


def generates() -> Iterator[int]:
    yield 1


async def generates_async() -> AsyncIterator[int]:
    yield 1


@pytest.mark.parametrize(
    ("func", "words"),
    [
        (lambda *_: hidden(), "returned a coroutine, so nothing was run; make it an async function"),
        (wrapped, "returned a coroutine, so nothing was run; make it an async function"),
        (lambda *_: generates(), "returned a generator, so nothing was run; consume it"),
        (lambda *_: generates_async(), "returned an async generator, so nothing was run; consume it"),
    ],
)
def test_a_plain_function_that_returns_what_has_yet_to_run_fails_with_the_remedy(
    manager: TaskManager, seen: Seen, func: Callable[[], Any], words: str
) -> None:
    task_id = manager.add_task(func)
    assert manager.drain()
    task = seen.task(task_id)
    assert task.status is TaskStatus.FAILED
    assert task.error is not None
    assert task.error.type == "TypeError"
    assert words in task.error.message


def test_lines_are_in_the_order_of_their_calls_over_all_attempts(manager: TaskManager, seen: Seen) -> None:
    @manager.task(retries=1)
    def chatty() -> None:
        for number in range(500):
            task_log(f"line {number}", number=number)
        if get_task_context().attempt == 0:  # type: ignore[union-attr]
            raise ValueError

    task_id = manager.add_task(chatty)
    assert manager.drain()

    lines = asyncio.run(seen.logs(task_id, limit=5000))
    assert [line.seq for line in lines] == list(range(1, 1001))
    assert [line.extra["number"] for line in lines] == [*range(500), *range(500)]
    assert {line.attempt for line in lines} == {0, 1}


@pytest.mark.failure("T10")
@pytest.mark.parametrize(
    ("level", "kept", "given"),
    [
        ("debug", "debug", None),
        ("WARN", "warning", None),
        ("Critical", "error", None),
        (logging.WARNING, "warning", None),
        (25, "info", None),
        ("loud", "info", "loud"),
        (None, "info", "None"),
        (True, "info", "True"),
        (["error"], "info", "['error']"),
    ],
)
def test_every_level_is_mapped_and_an_unknown_one_is_kept_beside_the_line(
    manager: TaskManager, seen: Seen, level: Any, kept: str, given: str | None
) -> None:
    task_id = manager.add_task(lambda: task_log("text", level=level, number=1))
    assert manager.drain()
    [line] = asyncio.run(seen.logs(task_id))
    assert (line.level, line.message, line.extra["number"]) == (kept, "text", 1)
    assert (None if "level_given" not in line.extra else str(line.extra["level_given"])) == given


@pytest.mark.failure("T10")
def test_no_kind_of_line_leaves_a_gap_in_the_sequence(manager: TaskManager, seen: Seen) -> None:
    def careless() -> None:
        task_log("plain")
        task_log("a lone surrogate \ud800")
        task_log("long " * 100_000)
        task_log(12345, level="bogus", value=object(), password="hunter2")
        task_log("plain again")

    task_id = manager.add_task(careless)
    assert manager.drain()
    lines = asyncio.run(seen.logs(task_id))
    assert [line.seq for line in lines] == [1, 2, 3, 4, 5]
    assert lines[1].message == "a lone surrogate \\ud800"
    assert lines[3].extra["level_given"] == "bogus"
    assert "hunter2" not in str(lines[3].extra)


def test_beyond_max_pending_a_task_is_refused_before_anything_is_stored() -> None:
    manager = TaskManager(store="memory", max_pending=2, shutdown_grace=0.0)
    gate = threading.Event()
    try:
        manager.add_task(gate.wait)
        manager.add_task(gate.wait)
        end = manager.runtime.writer.end
        with pytest.raises(QueueFullError, match="max_pending"):
            manager.add_task(gate.wait)
        assert manager.runtime.writer.end in (end, end + 1, end + 2)
    finally:
        gate.set()
        manager.stop()


def test_a_task_sees_the_contextvars_of_its_caller(manager: TaskManager) -> None:
    tenant: ContextVar[str] = ContextVar("tenant", default="nobody")
    seen: list[Any] = []
    tenant.set("acme")
    manager.add_task(lambda: seen.append(tenant.get()))
    tenant.set("other")
    assert manager.drain()
    assert seen == ["acme"]


def test_a_task_added_inside_a_task_is_a_task_of_its_own(manager: TaskManager, seen: Seen) -> None:
    inner_ids: list[str] = []

    def inner() -> None:
        task_log("inner")

    def outer() -> None:
        inner_ids.append(manager.add_task(inner))
        task_log("outer")

    outer_id = manager.add_task(outer)
    assert manager.drain()
    assert [line.message for line in asyncio.run(seen.logs(inner_ids[0]))] == ["inner"]
    assert [line.message for line in asyncio.run(seen.logs(outer_id))] == ["outer"]
