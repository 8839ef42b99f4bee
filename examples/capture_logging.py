"""What libraries log inside a task goes into its record, beside task_log.

Run:  python examples/capture_logging.py
"""

import logging

from otel_taskflow import InMemoryLogger, TaskManager, task_log

memory = InMemoryLogger()
task_manager = TaskManager(capture_logging="INFO", observers=[memory])
library = logging.getLogger("some.library")


@task_manager.task
def import_orders(path: str) -> None:
    task_log("Importing", path=path)
    library.info("Read %d rows", 200, extra={"encoding": "utf-8"})
    library.debug("not taken: below INFO")


def main() -> None:
    library.info("not taken: outside of a task")
    task_manager.add_task(import_orders, "orders.csv")
    task_manager.drain()
    for event in memory.log_events:
        print(event.level, event.logger or "task_log", event.message, dict(event.extra))
    task_manager.close()


if __name__ == "__main__":
    main()
