"""Memory while very many tasks pass, and the event loop while many wait."""

from __future__ import annotations

import asyncio
import gc
from time import perf_counter

from tests.benchmarks.asgi import lifespan
from tests.benchmarks.figures import Figure
from tests.benchmarks.measuring import Load, percentile, resident_megabytes
from tests.benchmarks.running import Result
from tests.benchmarks.sides.ours import Ours

SIDES = ("passing", "waiting")
ROUNDS = 1
CHUNK = 1000
TICK = 0.005
IN_ONE_TURN = 50
"""Tasks that the benchmark adds before it lets the loop go on."""


def measure(side: str, load: Load) -> Result:
    """Each in a process of its own."""
    return asyncio.run(_passing(load) if side == "passing" else _waiting(load))


async def _passing(load: Load) -> Result:
    """Resident memory after a quarter of the tasks and at the end."""
    made = Ours(load.folder, "async")
    total = load.pick(200_000, 20_000)
    sizes = []
    async with lifespan(made.app):
        begin = perf_counter()
        for passed in range(CHUNK, total + 1, CHUNK):
            await made.add_many(CHUNK, eager=True)
            await made.manager.adrain(60)
            if passed % (total // 4) == 0:
                gc.collect()
                sizes.append(resident_megabytes())
        seconds = perf_counter() - begin
    return {"growth": sizes[-1] - sizes[0], "size": sizes[-1], "rate": total / seconds, "tasks": total}


async def _waiting(load: Load) -> Result:
    """How late a timer of the event loop is while 10,000 tasks wait for one of 100 slots, and while they are added."""
    made = Ours(load.folder, "async")

    async def work() -> None:
        await asyncio.sleep(0.05)

    made.manager.task(work)
    count = load.pick(10_000, 10_000)
    async with lifespan(made.app):
        ticker = asyncio.create_task(_late())
        for index in range(count):
            made.manager.add_task(work)
            if index % IN_ONE_TURN == 0:
                await asyncio.sleep(0)
        adding = await _ended(ticker)
        ticker = asyncio.create_task(_late())
        await made.manager.adrain(60)
        waiting = await _ended(ticker)
    return {
        "late_adding": percentile(adding, 0.99) * 1e3,
        "late_p99": percentile(waiting, 0.99) * 1e3,
        "late_max": max(waiting) * 1e3,
    }


async def _ended(ticker: asyncio.Task[list[float]]) -> list[float]:
    ticker.cancel()
    return await ticker


async def _late() -> list[float]:
    late = []
    try:
        while True:
            begin = perf_counter()
            await asyncio.sleep(TICK)
            late.append(perf_counter() - begin - TICK)
    except asyncio.CancelledError:
        return late


def figures(results: dict[str, Result]) -> list[Figure]:
    """Absolute limits."""
    passing, waiting = results["passing"], results["waiting"]
    return [
        Figure(
            f"memory more after {passing['tasks']:,.0f} tasks than after a quarter", passing["growth"], "MB", limit=10
        ),
        Figure("memory at the end", passing["size"], "MB"),
        Figure("tasks passed", passing["rate"], "tasks/s"),
        Figure("event loop late while 10,000 tasks wait, p99", waiting["late_p99"], "ms", limit=10),
        Figure("event loop late while 10,000 tasks wait, longest", waiting["late_max"], "ms"),
        Figure(f"event loop late while they are added, {IN_ONE_TURN} in a turn, p99", waiting["late_adding"], "ms"),
    ]
