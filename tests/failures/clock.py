"""A program whose clock can be put forward and back. Run as ``python -m tests.failures.clock worker FOLDER SETTINGS``."""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import Any

_offset = 0.0
_real_time, _real_time_ns = time.time, time.time_ns
time.time = lambda: _real_time() + _offset
time.time_ns = lambda: _real_time_ns() + int(_offset * 1e9)


def put_clock(seconds: float) -> None:
    """Let the clock be so many seconds ahead."""
    global _offset  # noqa: PLW0603 - the clock is one for the process
    _offset = seconds


# Only now: these take time_ns by its name.
from tests.crash.programs import say  # noqa: E402
from tests.failures.programs import Worker  # noqa: E402

from otel_taskflow import get_task_context, task_log  # noqa: E402  # isort: skip


class Shifted(Worker):
    """A worker with one more verb and one more task."""

    def __init__(self, folder: str, settings: dict[str, Any]) -> None:
        super().__init__(folder, settings)
        self.goes_on = threading.Semaphore(0)
        self.is_waiting = threading.Semaphore(0)
        self.begun: list[float] = []
        self.manager.task(retries=1, delay=3.0)(self.retried)
        self.manager.task(retries=1, delay=0.01)(self.jumps)
        self.manager.task(self.stepwise)

    def shift(self, seconds: float) -> None:
        put_clock(_offset + seconds)

    def stepwise(self, steps: int) -> None:
        """Log a line whenever ``step`` is called."""
        for number in range(steps):
            self.is_waiting.release()
            self.goes_on.acquire()
            task_log(f"line {number}")
        self._ended.set()

    def step(self) -> bool:
        """Let ``stepwise`` log; true when the next step is awaited."""
        self.is_waiting.acquire()
        self.goes_on.release()
        return True

    def retried(self) -> None:
        """Fail at first; its retry is due three seconds later."""
        context = get_task_context()
        self.begun.append(time.monotonic())
        if context is not None and context.attempt == 0:
            raise ValueError("no")

    def jumps(self, seconds: float) -> None:
        """Fail at first, the clock put on meanwhile."""
        context = get_task_context()
        if context is not None and context.attempt == 0:
            self.shift(seconds)
            raise ValueError("no")

    def pause(self) -> float | None:
        """Real seconds between the two attempts of ``retried``, if both have begun."""
        return self.begun[1] - self.begun[0] if len(self.begun) == 2 else None

    def attempts(self) -> int:
        return len(self.begun)


def worker(folder: str, settings: str) -> None:
    obeying = Shifted(folder, json.loads(settings))
    for line in sys.stdin:
        verb, *values = line.split()
        say(line.strip(), json.dumps(getattr(obeying, verb)(*map(json.loads, values))))


if __name__ == "__main__":
    worker(*sys.argv[2:])
