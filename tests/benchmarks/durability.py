"""What ``durability="power"`` costs beside ``"process"``, with the disk's own time for a sync."""

from __future__ import annotations

import os
import threading
from itertools import pairwise
from pathlib import Path
from time import perf_counter_ns, sleep

from otel_taskflow import TaskManager, task_log
from tests.benchmarks.figures import Figure
from tests.benchmarks.measuring import Load, durations, percentile
from tests.benchmarks.running import Result

SIDES = ("process", "power", "disk")
ROUNDS = 1
CALLERS = 8
"""Threads that add tasks at once: those that come together share a sync."""


def measure(side: str, load: Load) -> Result:
    """The calls that are acknowledged when their event is safe."""
    if side == "disk":
        return _told("sync", durations(_sync_of(load.folder / "file"), load.pick(200, 50)))
    manager = TaskManager(dir=str(load.folder / "state"), durability=side, max_sync_threads=1)
    manager.start()
    return {
        **_told("add", _adding(manager, load.pick(300, 50))),
        **_told("add_together", _adding_together(manager, load.pick(50, 20))),
        **_told("line", _logging(manager, load.pick(100, 50))),
        **_told("end", _ending(manager, load.pick(300, 50))),
    }


def _told(what: str, taken: list[int]) -> Result:
    return {f"{what}_p50": percentile(taken, 0.5) / 1e3, f"{what}_p99": percentile(taken, 0.99) / 1e3}


def _sync_of(path: Path) -> object:
    file = os.open(path, os.O_CREAT | os.O_RDWR)
    os.posix_fallocate(file, 0, 4096 * 1000)

    def write_and_sync(index: int) -> None:
        os.pwrite(file, b"x" * 200, 4096 * index)
        os.fdatasync(file)

    return write_and_sync


def _adding(manager: TaskManager, count: int) -> list[int]:
    function = manager.task(_nothing)
    taken = durations(lambda _: manager.add_task(function), count)
    assert manager.drain(60)
    return taken


def _adding_together(manager: TaskManager, count: int) -> list[int]:
    function = manager.task(_nothing)
    taken: list[int] = []
    threads = [
        threading.Thread(target=lambda: taken.extend(durations(lambda _: manager.add_task(function), count)))
        for _ in range(CALLERS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert manager.drain(60)
    return taken


def _logging(manager: TaskManager, bursts: int) -> list[int]:
    taken: list[int] = []

    @manager.task
    def log() -> None:
        for _ in range(bursts):
            sleep(0.004)
            taken.extend(durations(lambda index: task_log("sending mail", address="ada@example.org", count=index), 20))

    manager.add_task(log)
    assert manager.drain(60)
    return taken


def _ending(manager: TaskManager, count: int) -> list[int]:
    """From the return of a function to the next one's first line, in the one slot: the end of an attempt, and a start."""
    times: list[int] = []
    gate = threading.Event()

    @manager.task
    def wait() -> None:
        gate.wait(60)

    @manager.task
    def tick() -> None:
        times.append(perf_counter_ns())

    manager.add_task(wait)
    for _ in range(count):
        manager.add_task(tick)
    gate.set()
    assert manager.drain(60)
    return [after - before for before, after in pairwise(times)]


def _nothing() -> None:
    """A task."""


def figures(results: dict[str, Result]) -> list[Figure]:
    """Power by process. Told only: it is the disk that is measured."""
    process, power, disk = results["process"], results["power"], results["disk"]
    told = [
        Figure(f"{title}, {share}, power", power[f"{what}_{share}"], "us", "process", process[f"{what}_{share}"])
        for what, title in (
            ("add", "add_task"),
            ("add_together", f"add_task from {CALLERS} threads"),
            ("line", "task_log"),
            ("end", "end of an attempt and start of the next"),
        )
        for share in ("p50", "p99")
    ]
    told += [Figure(f"a sync of this disk, {share}", disk[f"sync_{share}"], "us") for share in ("p50", "p99")]
    for what, title in (("add", "add_task"), ("end", "end of an attempt and start of the next")):
        told.append(Figure(f"{title}, p50, power", power[f"{what}_p50"], "us", "a sync", disk["sync_p50"]))
    return told
