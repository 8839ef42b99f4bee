"""No-op tasks by the second, from add_task until all are in SQLite."""

from __future__ import annotations

import asyncio
import importlib
from time import perf_counter

from tests.benchmarks.asgi import lifespan
from tests.benchmarks.figures import Figure
from tests.benchmarks.measuring import Load
from tests.benchmarks.running import Result

SIDES = ("reference", "huey_sqlite", "ours", "ours_recording")
ROUNDS = 2
KINDS = ("sync", "async")


def measure(side: str, load: Load) -> Result:
    """Both kinds of function. The reference runs a list in order or all at once: its better rate counts."""
    if side == "huey_sqlite":
        module = importlib.import_module("tests.benchmarks.sides.huey_sqlite")
        return {"sync": module.tasks_per_second(load.folder, load.pick(1500, 500))}
    if side == "reference":
        return {
            kind: max(asyncio.run(_rate(side, kind, load, load.pick(1000, 200), eager)) for eager in (False, True))
            for kind in KINDS
        }
    return {kind: asyncio.run(_rate(side, kind, load, load.pick(20_000, 1000), False)) for kind in KINDS}


async def _rate(side: str, kind: str, load: Load, count: int, eager: bool) -> float:
    folder = load.folder / f"{kind}-{eager}"
    folder.mkdir()
    made = importlib.import_module(f"tests.benchmarks.sides.{side}").make_side(folder, kind)
    warm = 50
    async with lifespan(made.app):
        await made.add_many(warm, eager=eager)
        await made.settled(warm)
        begin = perf_counter()
        await made.add_many(count, eager=eager)
        await made.settled(warm + count)
        return count / (perf_counter() - begin)


def figures(results: dict[str, Result]) -> list[Figure]:
    """Ours by the others'."""
    told = []
    for kind in KINDS:
        for side, title, limit, aim in (
            ("ours", "telemetry off", 5.0, 10.0),
            ("ours_recording", "telemetry on", 1.5, 3.0),
        ):
            rate, other = results[side][kind], results["reference"][kind]
            name = f"{kind} tasks drained, {title}"
            told.append(Figure(name, rate, "tasks/s", "fastapi-taskflow", other, limit, aim, at_least=True))
            huey = results["huey_sqlite"]["sync"]
            told.append(Figure(name, rate, "tasks/s", "huey", huey, 1.0, at_least=True))
    return told
