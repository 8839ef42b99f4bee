"""Requests to a served app while the consumers drain a backlog of log lines, beside the same requests in peace."""

from __future__ import annotations

import importlib
import threading
from typing import Any

from tests.benchmarks.figures import Figure
from tests.benchmarks.measuring import Load, percentile
from tests.benchmarks.running import Result
from tests.benchmarks.serving import ask, served

SIDES = ("ours", "ours_recording")
ROUNDS = 2
SECONDS = 2.0
LEAST = 5_000
"""Events that must wait before the requests begin and when they have ended."""


class BacklogError(Exception):
    """There is no backlog, so that the figures would say nothing."""


def measure(side: str, load: Load) -> Result:
    """First in peace, then behind a flood of lines, in one process. The requests add no task."""
    made = importlib.import_module(f"tests.benchmarks.sides.{side}").make_side(load.folder, "sync")
    written = threading.Event()
    lines = load.pick(400_000, 250_000)

    @made.manager.task
    def flood() -> None:
        from otel_taskflow import task_log

        for index in range(lines):
            task_log("sending mail", address="ada@example.org", count=index)
        written.set()

    with served(made.app) as port:
        ask(port, "/nothing", 0.5)
        peace = ask(port, "/nothing", SECONDS)
        made.manager.add_task(flood)
        if not written.wait(60):
            raise TimeoutError(f"the {lines:,} lines were not written within a minute")
        behind_before = _lag(made.manager)
        busy = ask(port, "/nothing", SECONDS)
        behind_after = _lag(made.manager)
    return {
        "peace_p50": percentile(peace, 0.5) / 1e6,
        "peace_p99": percentile(peace, 0.99) / 1e6,
        "busy_p50": percentile(busy, 0.5) / 1e6,
        "busy_p99": percentile(busy, 0.99) / 1e6,
        "behind_before": behind_before,
        "behind_after": behind_after,
        "rate": (behind_before - behind_after) / SECONDS,
    }


def _lag(manager: Any) -> int:
    """Events that the store has still to take. Without any there is nothing to measure: raises BacklogError."""
    behind: int = manager.runtime.tailer.lag()["store"]
    if behind < LEAST:
        raise BacklogError(f"only {behind:,} events are waiting: give the flood more lines")
    return behind


def figures(results: dict[str, Result]) -> list[Figure]:
    """Busy by peace."""
    told = []
    for side, title in (("ours", "telemetry off"), ("ours_recording", "telemetry on")):
        own = results[side]
        for share, limit in (("p50", None), ("p99", 1.2)):
            told.append(
                Figure(
                    f"request {share} beside a backlog, {title}",
                    own[f"busy_{share}"],
                    "ms",
                    "without",
                    own[f"peace_{share}"],
                    limit,
                )
            )
        told.append(Figure(f"lines drained meanwhile, {title}", own["rate"], "lines/s"))
        told.append(Figure(f"lines left at the end, {title}", own["behind_after"], "lines"))
    return told
