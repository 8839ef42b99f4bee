"""Processor time of a request that adds one no-op task, minus the request without it, until the task is in its database."""

from __future__ import annotations

import asyncio
import importlib

from tests.benchmarks.asgi import lifespan, post
from tests.benchmarks.figures import Figure
from tests.benchmarks.measuring import Load, cpu_seconds
from tests.benchmarks.running import Result

SIDES = ("plain", "reference", "ours", "ours_recording")
ROUNDS = 2
KINDS = ("sync", "async")


def measure(side: str, load: Load) -> Result:
    """Both kinds of function, one after the other, in one process."""
    return {kind: asyncio.run(_measure(side, kind, load)) for kind in KINDS}


async def _measure(side: str, kind: str, load: Load) -> float:
    """Microseconds of all threads together."""
    folder = load.folder / kind
    folder.mkdir()
    made = importlib.import_module(f"tests.benchmarks.sides.{side}").make_side(folder, kind)
    warm, count = 50, load.pick(1000, 300)
    async with lifespan(made.app):
        for path in ("/nothing", "/task"):
            for _ in range(warm):
                await post(made.app, path)
        await made.settled(warm)
        begin = cpu_seconds()
        for _ in range(count):
            await post(made.app, "/nothing")
        without = cpu_seconds() - begin
        begin = cpu_seconds()
        for _ in range(count):
            await post(made.app, "/task")
        await made.settled(warm + count)
        with_task = cpu_seconds() - begin
    return (with_task - without) / count * 1e6


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
            Figure(
                f"CPU of one {kind} task in a request, telemetry off",
                results["ours"][kind],
                "us",
                "BackgroundTasks",
                results["plain"][kind],
            )
        )
    return told
