"""What the index of words costs where lines are written: the same lines drained with it and without."""

from __future__ import annotations

from time import perf_counter

from otel_taskflow import TaskManager, task_log
from otel_taskflow.stores.sqlite.statements import SQL
from tests.benchmarks.figures import Figure
from tests.benchmarks.measuring import Load, cpu_seconds
from tests.benchmarks.running import Result

SIDES = ("with_index", "without_index")
ROUNDS = 3
TASKS = 20
WORDS = ("mail", "order", "invoice", "customer", "payment", "refund", "parcel", "address", "warehouse", "receipt")


def measure(side: str, load: Load) -> Result:
    """Lines of twenty tasks, from the first add_task until all are in SQLite. As many are there before."""
    if side == "without_index":
        SQL["index_log_words"] = "SELECT ?"  # Takes what the statement takes, and does nothing.
    manager = TaskManager(dir=str(load.folder))
    lines = load.pick(60_000, 20_000) // TASKS

    @manager.task
    def work(task: int) -> None:
        for count in range(lines):
            word, other = WORDS[count % 10], WORDS[(count // 10 + task) % 10]
            task_log(f"sending {word} {count} about {other}", address=f"ada{count}@example.org", count=count)

    _run(manager, work)
    begin, cpu = perf_counter(), cpu_seconds()
    _run(manager, work)
    taken, burned = perf_counter() - begin, cpu_seconds() - cpu
    size = sum(path.stat().st_size for path in load.folder.glob("tasks.db*"))
    total = lines * TASKS
    return {"rate": total / taken, "cpu": burned / total * 1e6, "bytes": size / total / 2}


def _run(manager: TaskManager, work: object) -> None:
    for task in range(TASKS):
        manager.add_task(work, task)
    if not manager.drain(60):
        raise TimeoutError("the lines did not all reach the store")


def figures(results: dict[str, Result]) -> list[Figure]:
    """With by without."""
    own, bare = results["with_index"], results["without_index"]
    return [
        Figure("lines drained with the index", own["rate"], "lines/s", "without", bare["rate"], at_least=True),
        Figure("processor time of a line", own["cpu"], "us", "without", bare["cpu"]),
        Figure("size of a stored line", own["bytes"], "B", "without", bare["bytes"]),
    ]
