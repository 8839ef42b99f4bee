"""How a figure is taken: single calls by the clock, processor time and memory of the process by the kernel."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter_ns
from typing import NamedTuple


class Load(NamedTuple):
    """How much to do, and a fresh folder to do it in."""

    is_quick: bool
    folder: Path

    def pick(self, usual: int, quick: int) -> int:
        """A count for a usual or a quick run."""
        return quick if self.is_quick else usual


def durations(call: Callable[[int], object], count: int) -> list[int]:
    """Nanoseconds of each of ``count`` calls, one after the other. The clock's own cost is in all of them alike."""
    taken = [0] * count
    now = perf_counter_ns
    for index in range(count):
        begin = now()
        call(index)
        taken[index] = now() - begin
    return taken


def percentile(values: Sequence[float], share: float) -> float:
    """The value that ``share`` (0 to 1) of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def cpu_seconds() -> float:
    """User and system time of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def cpu_seconds_of_others() -> float:
    """User and system time of the processes that this one started, once they have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def resident_megabytes() -> float:
    """Memory of this process that is in RAM now."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
