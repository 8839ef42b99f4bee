"""One task_log with two extras, crash-safe when it returns, beside loggers that write the same line to a file."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from time import sleep

from tests.benchmarks.figures import Figure
from tests.benchmarks.measuring import Load, durations, percentile
from tests.benchmarks.running import Result

SIDES = ("ours", "ours_recording", "stdlib_logging", "loguru_file", "structlog_orjson", "span_event")
ROUNDS = 2
BURST = 20


def measure(side: str, load: Load) -> Result:
    """Lines in small bursts, as tasks write them; then a flood."""

    def work(line: Callable[[str, int], None]) -> Result:
        def call(index: int) -> None:
            line("ada@example.org", index)

        durations(call, 500)
        steady: list[int] = []
        for _ in range(load.pick(250, 100)):
            sleep(0.004)
            steady += durations(call, BURST)
        flood = durations(call, load.pick(20_000, 10_000))
        return {
            "steady_p50": percentile(steady, 0.5) / 1e3,
            "flood_p50": percentile(flood, 0.5) / 1e3,
            "flood_p99": percentile(flood, 0.99) / 1e3,
            "flood_max": max(flood) / 1e3,
        }

    result: Result = importlib.import_module(f"tests.benchmarks.sides.{side}").with_logger(load.folder, work)
    return result


def figures(results: dict[str, Result]) -> list[Figure]:
    """Ours by the others."""
    told: list[Figure] = []
    for side, title in (("ours", "task_log"), ("ours_recording", "task_log, recording span")):
        own = results[side]
        for other, limit, aim in (
            ("stdlib_logging", 0.4, None),
            ("structlog_orjson", None, 1.0),
            ("loguru_file", None, None),
            ("span_event", None, None),
        ):
            for key, when in (("steady_p50", "p50"), ("flood_p50", "p50 in a flood")):
                bounds = (limit, aim) if key == "steady_p50" else (None, None)
                told.append(Figure(f"{title}: {when}", own[key], "us", other, results[other][key], *bounds))
        told.append(Figure(f"{title}: p99 in a flood", own["flood_p99"], "us", limit=100.0))
        told.append(Figure(f"{title}: longest in a flood", own["flood_max"], "us"))
    return told
