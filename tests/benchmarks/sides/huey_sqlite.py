"""huey on SQLite, with thread workers in this process."""

from __future__ import annotations

from pathlib import Path
from threading import Event
from time import perf_counter

from huey import SqliteHuey


def tasks_per_second(folder: Path, count: int) -> float:
    """Enqueue ``count`` no-op tasks and run them all."""
    huey = SqliteHuey(filename=str(folder / "huey.db"))
    all_done, done = Event(), []

    @huey.task()
    def noop() -> None:
        done.append(1)
        if len(done) == count:
            all_done.set()

    consumer = huey.create_consumer(workers=2, worker_type="thread", initial_delay=0.001, max_delay=0.01)
    begin = perf_counter()
    for _ in range(count):
        noop()
    consumer.start()
    if not all_done.wait(60):
        raise TimeoutError(f"huey ran {len(done)} of {count} tasks")
    return count / (perf_counter() - begin)
