"""Task logs in files, for people and for programs. The files are completed after a crash, and many workers may share them.

Run:  python examples/file_log.py
"""

from pathlib import Path

from otel_taskflow import FileLogger, TaskManager, task_log

task_manager = TaskManager(
    observers=[
        FileLogger("logs/tasks.log", log_lifecycle=True),
        FileLogger("logs/warnings.jsonl", format="json", min_level="warning"),
    ]
)


@task_manager.task
def import_orders(path: str) -> None:
    task_log("Importing", path=path)
    task_log("Row 7 has no price", level="warning", row=7)


def main() -> None:
    task_manager.add_task(import_orders, "orders.csv")
    task_manager.drain()  # until the files have all of it
    task_manager.close()
    for name in ("tasks.log", "warnings.jsonl"):
        print(f"{name}:\n{Path('logs', name).read_text()}", end="")


if __name__ == "__main__":
    main()
