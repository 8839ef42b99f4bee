"""From add_task in a request to the first line of the task, beside plain BackgroundTasks."""

from __future__ import annotations

import importlib
from time import monotonic, perf_counter_ns, sleep

from tests.benchmarks.figures import Figure
from tests.benchmarks.measuring import Load, percentile
from tests.benchmarks.running import Result
from tests.benchmarks.serving import ask, served

SIDES = ("plain", "reference", "ours", "ours_recording")
ROUNDS = 2
KINDS = ("sync", "async")


def measure(side: str, load: Load) -> Result:
    """Both kinds of function."""
    return {kind: _measure(side, kind, load) for kind in KINDS}


def _measure(side: str, kind: str, load: Load) -> float:
    """Microseconds, p50, behind a real server: what is sent to the client comes in between."""
    folder = load.folder / kind
    folder.mkdir()
    made = importlib.import_module(f"tests.benchmarks.sides.{side}").make_side(folder, kind)
    added: list[int] = []
    started: list[int] = []
    made.calls.on_start = lambda: started.append(perf_counter_ns())
    made.calls.on_add = lambda: added.append(perf_counter_ns())
    with served(made.app) as port:
        ask(port, "/task", load.pick(2, 1))
        deadline = monotonic() + 5
        while len(started) < len(added) and monotonic() < deadline:
            sleep(0.01)
    return percentile([end - begin for begin, end in zip(added, started, strict=True)][50:], 0.5) / 1e3


def figures(results: dict[str, Result]) -> list[Figure]:
    """Ours by the plain ones; the reference's for comparison."""
    told = []
    for kind in KINDS:
        for side, title in (("ours", "telemetry off"), ("ours_recording", "telemetry on")):
            name, own = f"add_task to start of {kind} tasks, p50, {title}", results[side][kind]
            told.append(Figure(name, own, "us", "BackgroundTasks", results["plain"][kind], limit=1.5))
            told.append(Figure(name, own, "us", "fastapi-taskflow", results["reference"][kind]))
    return told
