"""What an app pays while nothing happens: processor, memory, and time to import."""

from __future__ import annotations

import asyncio
from time import perf_counter

from tests.benchmarks.figures import Figure
from tests.benchmarks.measuring import Load, cpu_seconds, resident_megabytes
from tests.benchmarks.running import Result

SIDES = ("fastapi", "ours")
ROUNDS = 2


def measure(side: str, load: Load) -> Result:
    """FastAPI with the SDK and its providers in both; ours on top in one of them."""
    begin = perf_counter()
    import fastapi

    from tests.benchmarks.providers import null_providers

    providers = null_providers()
    imported_theirs = perf_counter() - begin
    begin = perf_counter()
    app = fastapi.FastAPI()
    if side == "ours":
        from otel_taskflow import TaskAdmin, TaskManager, task_log

        assert callable(task_log)
        imported_ours = perf_counter() - begin
        TaskAdmin(app, TaskManager(dir=str(load.folder / "state"), **providers._asdict()))
    else:
        imported_ours = 0.0
    return {
        "import": imported_ours * 1e3,
        "import_others": imported_theirs * 1e3,
        **asyncio.run(_idle(app, load.pick(4, 2))),
    }


async def _idle(app: object, seconds: int) -> Result:
    from tests.benchmarks.asgi import lifespan

    async with lifespan(app):  # type: ignore[arg-type] # FastAPI is imported late on purpose
        await asyncio.sleep(1.0)
        begin = cpu_seconds()
        await asyncio.sleep(seconds)
        return {"cpu": (cpu_seconds() - begin) / seconds * 100, "memory": resident_megabytes()}


def figures(results: dict[str, Result]) -> list[Figure]:
    """Ours minus FastAPI with the SDK."""
    own, bare = results["ours"], results["fastapi"]
    return [
        Figure("idle: processor more than without", own["cpu"] - bare["cpu"], "% of a core", limit=0.5),
        Figure("idle: memory more than FastAPI with the SDK", own["memory"] - bare["memory"], "MB", limit=30),
        Figure("import more than FastAPI with the SDK", own["import"], "ms", limit=200),
    ]
