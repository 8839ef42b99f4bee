"""What an app notices of a collector that is away: lines and requests, by turns with and without collector.

A percentile is that of the turn in the middle: a turn in which the rest of the machine was busy does not count.
"""

from __future__ import annotations

import contextlib
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from time import sleep
from typing import Any

from otel_taskflow import OTLPExporter
from tests.benchmarks.figures import Figure
from tests.benchmarks.measuring import Load, durations, percentile
from tests.benchmarks.running import Result
from tests.benchmarks.serving import ask, served
from tests.benchmarks.sides import ours
from tests.benchmarks.sink import sink

SIDES = ("none", "exporter")
ROUNDS = 1
BURST = 20
ASKED = 0.6
"""Seconds of requests in one turn."""

Taken = Mapping[str, list[list[int]]]
"""Nanoseconds of the calls of each turn, by the state of the collector."""


def measure(side: str, load: Load) -> Result:
    """Both, in one process for all states of the collector: what else the machine does is then in all of them alike."""
    turns = load.pick(6, 2)
    with _Collector(goes=side == "exporter") as collector:
        exporter = OTLPExporter(collector.url, schedule_delay=0.2, timeout=2.0)
        observers = [exporter] if side == "exporter" else []
        lines = _lines(load, collector.turns(turns), observers)
        requests = _requests(load, collector.turns(turns), observers)
    return {
        f"{what}_{state}_{name}": statistics.median(percentile(turn, share) for turn in taken[state]) / 1e3
        for what, taken in (("line", lines), ("request", requests))
        for state in taken
        for name, share in (("p50", 0.5), ("p99", 0.99))
    }


class _Collector:
    """A sink that ``goes`` and comes back at its address, or stays."""

    def __init__(self, *, goes: bool) -> None:
        self.url = ""
        self._goes = goes
        self._running = contextlib.ExitStack()

    def __enter__(self) -> _Collector:
        self.url = self._running.enter_context(sink())
        return self

    def __exit__(self, *_error: object) -> None:
        self._running.close()

    def turns(self, count: int) -> Iterator[str]:
        """Its states one after the other; ``there`` is over its return."""
        for _ in range(count):
            yield "there"
            if not self._goes:
                continue
            self._running.close()
            yield "away"
            self._running.enter_context(sink(int(self.url.rpartition(":")[2])))


def _lines(load: Load, states: Iterator[str], observers: list[Any]) -> Taken:
    """Lines in small bursts, as tasks write them."""
    count = load.pick(50, 50)

    def work(line: Callable[[str, int], None]) -> Taken:
        def call(index: int) -> None:
            line("ada@example.org", index)

        durations(call, 500)
        taken: dict[str, list[list[int]]] = defaultdict(list)
        for state in states:
            sleep(0.3)
            turn: list[int] = []
            for _ in range(count):
                sleep(0.004)
                turn += durations(call, BURST)
            taken[state].append(turn)
        return taken

    folder = load.folder / "lines"
    folder.mkdir()
    found: Taken = ours.with_logger(folder, work, observers=observers)
    return found


def _requests(load: Load, states: Iterator[str], observers: list[Any]) -> Taken:
    """Requests that add a task, behind a real server."""
    folder = load.folder / "requests"
    folder.mkdir()
    made = ours.Ours(folder, "sync", observers=observers)
    taken: dict[str, list[list[int]]] = defaultdict(list)
    with served(made.app) as port:
        ask(port, "/task", 0.5)
        for state in states:
            made.manager.force_flush(0.3)
            taken[state].append(ask(port, "/task", ASKED))
    return taken


def figures(results: dict[str, Result]) -> list[Figure]:
    """Away by there; there by no exporter at all."""
    told = []
    own, without = results["exporter"], results["none"]
    for what, title in (("line", "task_log"), ("request", "request that adds a task")):
        for share in ("p50", "p99"):
            away, there = own[f"{what}_away_{share}"], own[f"{what}_there_{share}"]
            limit = 1.2 if share == "p99" else None
            told.append(Figure(f"{title}, {share}, collector away", away, "us", "collector there", there, limit))
            none = without[f"{what}_there_{share}"]
            told.append(Figure(f"{title}, {share}, collector there", there, "us", "no exporter", none))
    return told
