"""Programs for failures. Run as ``python -m tests.failures.programs NAME FOLDER ...``; they do what each line of input says.

An answer is the line and a JSON value.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from otel_taskflow import TaskManager, task_log
from otel_taskflow.errors import TaskflowError
from otel_taskflow.model import TaskFilter
from tests.crash.programs import say

PATIENCE = 60.0


class Loop:
    """An event loop on a thread of its own, like a server's, that measures how late it is."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._lags: list[float] = []
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        asyncio.run_coroutine_threadsafe(self._measure(), self.loop)

    async def _measure(self) -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.002)
            self._lags.append(time.perf_counter() - before - 0.002)

    def lag(self) -> dict[str, float]:
        """Milliseconds since the last question: at most, and not passed by 99 of 100."""
        lags, self._lags = sorted(self._lags), []
        return {"max": lags[-1] * 1000, "p99": lags[int(len(lags) * 0.99)] * 1000}


def memory() -> float:
    """Megabytes of its own, without the pages of mapped files."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon")]
    return int(line.split()[1]) / 1024


class Worker:
    """A manager with tasks of several kinds."""

    def __init__(self, folder: str, settings: dict[str, Any]) -> None:
        self.manager = TaskManager(dir=folder, **settings)
        self.loop = Loop()
        self._ended = threading.Event()
        self.latencies: list[float] = []
        for function in (self.log, self.paced, self.never, self.blocks):
            self.manager.task(function)

    # Tasks

    def log(self, lines: int, size: int = 10) -> None:
        """Log so many lines, flat out."""
        filler = "x" * size
        for number in range(lines):
            task_log(f"line {number}", filler=filler)
        self._ended.set()

    def paced(self, a_second: int, seconds: float) -> None:
        """Log so many lines a second, and note how long each call took."""
        self.latencies.clear()
        start = time.perf_counter()
        for number in range(int(a_second * seconds)):
            ahead = number / a_second - (time.perf_counter() - start)
            if ahead > 0:
                time.sleep(ahead)
            before = time.perf_counter_ns()
            task_log(f"line {number}")
            self.latencies.append(time.perf_counter_ns() - before)
        self._ended.set()

    def never(self) -> None:
        task_log("never ends")
        threading.Event().wait()

    async def blocks(self, seconds: float) -> None:
        """Block the event loop, as careless tasks do."""
        time.sleep(seconds)  # noqa: ASYNC251

    # Verbs

    def start(self) -> str:
        try:
            self.manager.start()
        except TaskflowError as error:
            return f"{type(error).__name__}: {error}"
        return "started"

    def run(self, name: str, *args: Any) -> dict[str, Any]:
        """Run a task to the end of its function; returns its id and how long that took."""
        self._ended.clear()
        begun = time.perf_counter()
        task_id = self.manager.add_task(getattr(self, name), *args)
        ended = self._ended.wait(PATIENCE)
        return {"id": task_id, "ended": ended, "seconds": time.perf_counter() - begun}

    def add(self, name: str, *args: Any) -> str:
        return self.manager.add_task(getattr(self, name), *args)

    def microseconds(self) -> dict[str, float]:
        """What the calls of ``paced`` took."""
        taken = sorted(self.latencies)
        return {"p50": taken[len(taken) // 2] / 1e3, "p99": taken[int(len(taken) * 0.99)] / 1e3, "max": taken[-1] / 1e3}

    def lag(self) -> dict[str, float]:
        return self.loop.lag()

    def memory(self) -> float:
        return memory()

    def dropped(self) -> dict[str, int]:
        return dict(self.manager.dropped)

    def degraded(self) -> bool:
        return self.manager.runtime.writer.is_degraded

    def store_health(self) -> dict[str, Any]:
        [part] = [part for part in self.manager.health().parts if part.part == "store"]
        return {"state": part.state, "why": part.why}

    def count(self) -> int:
        """Tasks that a reader which stays open sees."""

        async def ask() -> int:
            return len((await self.manager.reader().list_tasks(TaskFilter(), 1000)).tasks)

        return asyncio.run_coroutine_threadsafe(ask(), self.loop.loop).result(PATIENCE)

    def states(self) -> dict[str, str]:
        """How each part is."""
        return {each.part: each.state for each in self.manager.health().parts}

    def drain(self, seconds: float) -> bool:
        return self.manager.drain(seconds)

    def stop(self) -> None:
        self.manager.stop(grace=0.0)

    def page(self, task_id: str) -> dict[str, Any]:
        """The first page of a task's log, and the milliseconds it took."""

        async def ask() -> dict[str, Any]:
            reader = self.manager.reader()
            before = time.perf_counter()
            lines = await reader.get_logs(task_id, limit=200)
            return {"lines": len(lines), "ms": (time.perf_counter() - before) * 1000}

        return asyncio.run_coroutine_threadsafe(ask(), self.loop.loop).result(PATIENCE)

    def prune(self, seconds: float) -> dict[str, float]:
        """Delete what has ended, chunk by chunk; returns how many went and what the slowest chunk took, in milliseconds."""
        writer = self.manager.runtime.store.writer
        deadline, gone, slowest = time.monotonic() + seconds, 0, 0.0
        while time.monotonic() < deadline:
            before = time.perf_counter()
            count = writer.prune(time.time_ns(), 2**60)
            slowest = max(slowest, time.perf_counter() - before)
            gone += count
            if not count:
                time.sleep(0.05)
        return {"gone": gone, "slowest": slowest * 1000, "bytes": writer.usage().bytes}

    def churn(self, seconds: float) -> dict[str, float]:
        """Add small tasks that log, for some time; returns how many, and the slowest add_task in milliseconds."""
        deadline, count, slowest = time.monotonic() + seconds, 0, 0.0
        while time.monotonic() < deadline:
            before = time.perf_counter()
            self.manager.add_task(self.log, 5, 200)
            slowest = max(slowest, time.perf_counter() - before)
            count += 1
            time.sleep(0.002 * random.random())
        return {"count": count, "slowest": slowest * 1000}


def worker(folder: str, settings: str = "{}") -> None:
    """``VERB JSON ...``: call the verb with these values."""
    obeying = Worker(folder, json.loads(settings))
    for line in sys.stdin:
        verb, *values = line.split()
        say(line.strip(), json.dumps(getattr(obeying, verb)(*map(json.loads, values))))


if __name__ == "__main__":
    program: Callable[..., None] = globals()[sys.argv[1]]
    program(*sys.argv[2:])
