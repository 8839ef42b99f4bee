"""Processor time of a request that adds one no-op task, minus the request without it, until the task is in its database.

The limit is for the process that serves. What others do for it, with their start, is told beside it.
"""

from __future__ import annotations

import asyncio
import importlib

from tests.benchmarks.asgi import lifespan, post
from tests.benchmarks.figures import Figure
from tests.benchmarks.measuring import Load, cpu_seconds, cpu_seconds_of_others
from tests.benchmarks.running import Result

SIDES = ("plain", "reference", "ours", "ours_recording")
ROUNDS = 2
KINDS = ("sync", "async")


def measure(side: str, load: Load) -> Result:
    """Both kinds of function, one after the other, in one process."""
    figures: Result = {}
    for kind in KINDS:
        before = cpu_seconds_of_others()
        figures[kind], count = asyncio.run(_measure(side, kind, load))
        figures[f"{kind}_others"] = (cpu_seconds_of_others() - before) / count * 1e6
    return figures


async def _measure(side: str, kind: str, load: Load) -> tuple[float, int]:
    """Microseconds of all threads together, and of how many requests."""
    folder = load.folder / kind
    folder.mkdir()
    made = importlib.import_module(f"tests.benchmarks.sides.{side}").make_side(folder, kind)
    warm, count = 50, load.pick(4000, 300)
    async with lifespan(made.app):
        for path in ("/nothing", "/task"):
            for _ in range(warm):
                await post(made.app, path)
        await made.settled(warm)
        await made.told()
        begin = cpu_seconds()
        for _ in range(count):
            await post(made.app, "/nothing")
        without = cpu_seconds() - begin
        begin = cpu_seconds()
        for _ in range(count):
            await post(made.app, "/task")
        await made.settled(warm + count)
        await made.told()
        with_task = cpu_seconds() - begin
    return (with_task - without) / count * 1e6, count


def figures(results: dict[str, Result]) -> list[Figure]:
    """Ours by the reference's."""
    told = []
    for kind in KINDS:
        for side, title, limit in (("ours", "telemetry off", 0.25), ("ours_recording", "telemetry on", 0.5)):
            name = f"CPU of one {kind} task in a request, {title}"
            told.append(
                Figure(name, results[side][kind], "us", "fastapi-taskflow", results["reference"][kind], limit=limit)
            )
            told.append(
                Figure(f"the same, with the process that writes the store, {title}", _of_all(results[side], kind), "us")
            )
        told.append(
            Figure(
                f"CPU of one {kind} task in a request, telemetry off",
                results["ours"][kind],
                "us",
                "BackgroundTasks",
                results["plain"][kind],
            )
        )
    return told


def _of_all(result: Result, kind: str) -> float:
    return result[kind] + result[f"{kind}_others"]
