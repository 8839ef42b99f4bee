"""A program in which a signal handler and destructors log while a task does: ``interrupting FOLDER SECONDS``. Says how often."""

from __future__ import annotations

import asyncio
import gc
import json
import signal
import sys
from pathlib import Path
from time import monotonic
from types import FrameType

from otel_taskflow import TaskManager, get_task_context, task_log

written = {"signal": 0, "destructor": 0, "task": 0}


class Circle:
    """Only the collector ends it, wherever the thread is just then."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        log("destructor")


def log(who: str) -> None:
    if get_task_context() is not None:  # else between two steps of the task, or after its end
        number = written[who] = written[who] + 1
        task_log(f"{who} {number}")


async def work(seconds: float) -> None:
    """On the main thread, where signal handlers run."""
    end = monotonic() + seconds
    while monotonic() < end:
        for _ in range(100):
            log("task")
            Circle()


def on_signal(_number: int, _frame: FrameType | None) -> None:
    log("signal")


async def main(folder: Path, seconds: float) -> None:
    manager = TaskManager(dir=folder)
    manager.task(work)
    signal.signal(signal.SIGALRM, on_signal)
    signal.setitimer(signal.ITIMER_REAL, 0.003, 0.003)
    gc.set_threshold(50)
    manager.add_task(work, seconds)
    await manager.adrain(60)
    signal.setitimer(signal.ITIMER_REAL, 0)
    print(json.dumps(written))
    await asyncio.to_thread(manager.stop)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), float(sys.argv[2])))
