"""Reading a store with a million log lines: its reader alone, and the whole way through guard, API and JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter_ns, time_ns

from fastapi import FastAPI

from otel_taskflow import TaskAdmin, TaskManager
from otel_taskflow.model import AttemptOutcome, AttemptRow, LogRow, SpanIdentity, TaskFilter, TaskRow, TaskStatus
from otel_taskflow.ports import StoreWrite
from otel_taskflow.stores.opening import open_store
from tests.benchmarks.asgi import get, lifespan
from tests.benchmarks.figures import Figure
from tests.benchmarks.measuring import Load, percentile
from tests.benchmarks.running import Result

SIDES = ("ours",)
ROUNDS = 1
LINES = 1000
REPEATS = 30
_SPAN = SpanIdentity("1" * 32, "2" * 16)


def measure(side: str, load: Load) -> Result:
    """Fill the store, then ask."""
    tasks = load.pick(1000, 50)
    store = open_store(None, load.folder)
    store.writer.open()
    begin = perf_counter_ns()
    for number in range(tasks):
        store.writer.write(_slice(number))
    filled = (perf_counter_ns() - begin) / 1e9
    told = {"lines": tasks * LINES, "filling": tasks * LINES / filled, **asyncio.run(_ask(store, tasks))}
    store.writer.close()
    return {**told, **asyncio.run(_ask_over_http(load.folder, tasks))}


def _slice(number: int) -> StoreWrite:
    """One task with its lines."""
    now, task_id = time_ns(), f"task-{number}"
    task = TaskRow(
        task_id,
        f"name_{number % 10}",
        TaskStatus.SUCCESS,
        now,
        started_at=now,
        ended_at=now + 1_000_000,
        attempts=1,
        owner="journal",
        span=_SPAN,
        log_count=LINES,
    )
    attempt = AttemptRow(task_id, 0, now, _SPAN, "host:1", now + 1_000_000, 1_000_000, 0, AttemptOutcome.SUCCEEDED)
    logs = [
        LogRow(task_id, 0, seq, now + seq, "info", f"sent mail {seq} of {LINES}", {"address": f"user{seq}@example.org"})
        for seq in range(1, LINES + 1)
    ]
    return StoreWrite("journal", number + 1, [task], [attempt], logs)


async def _ask(store: object, tasks: int) -> Result:
    reader = store.reader()  # type: ignore[attr-defined] # any Store
    some = f"task-{tasks // 2}"

    async def detail() -> None:
        found = await reader.get_task(some)
        lines = await reader.get_logs(some, limit=LINES)
        assert found is not None
        assert len(lines) == LINES

    async def newest() -> None:
        assert len((await reader.list_tasks(TaskFilter(), 50)).tasks) == 50

    try:
        return {"detail": await _middle(detail), "newest": await _middle(newest)}
    finally:
        await reader.aclose()


async def _ask_over_http(folder: Path, tasks: int) -> Result:
    """What a program or the page asks; the manager keeps its own journal beside, as in every app."""
    app, manager = FastAPI(), TaskManager(dir=str(folder))
    TaskAdmin(app, manager, print_link=False)
    some = f"/tasks/task-{tasks // 2}"
    async with lifespan(app):
        token = manager.access_token()
        least = {some: LINES * 30, f"{some}/logs?limit={LINES}": LINES * 100, "/tasks?limit=50": 50 * 300}

        async def asked(path: str) -> float:
            async def question() -> None:
                assert await get(app, path, token) > least[path]

            return await _middle(question)

        taken = [await asked(path) for path in least]
    return dict(zip(("http_detail", "http_logs", "http_newest"), taken, strict=True))


async def _middle(question: Callable[[], Awaitable[None]]) -> float:
    """Milliseconds, p50."""
    await question()
    taken = []
    for _ in range(REPEATS):
        begin = perf_counter_ns()
        await question()
        taken.append(perf_counter_ns() - begin)
    return percentile(taken, 0.5) / 1e6


def figures(results: dict[str, Result]) -> list[Figure]:
    """Absolute limits."""
    own = results["ours"]
    return [
        Figure(f"task with {LINES:,} lines of {own['lines']:,.0f} stored", own["detail"], "ms", limit=10),
        Figure("newest 50 tasks", own["newest"], "ms", limit=5),
        Figure(f"GET /tasks/{{id}} with {LINES:,} lines", own["http_detail"], "ms", limit=10),
        Figure(f"GET /tasks/{{id}}/logs?limit={LINES}", own["http_logs"], "ms", limit=10),
        Figure("GET /tasks?limit=50", own["http_newest"], "ms", limit=5),
        Figure("lines written to the store", own["filling"], "lines/s"),
    ]
