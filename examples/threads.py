"""Logging from threads that a task starts itself.

asyncio.gather, asyncio.to_thread and anyio carry the running task with them; a raw thread or an executor needs wrap().

Run:  python examples/threads.py
"""

from concurrent.futures import ThreadPoolExecutor

from otel_taskflow import InMemoryLogger, TaskManager, task_log, wrap

memory = InMemoryLogger()
task_manager = TaskManager(observers=[memory])


def fetch(page: int) -> int:
    task_log("Fetched", page=page)  # belongs to the task, on whatever thread
    return page


@task_manager.task
def fetch_all(pages: int) -> None:
    with ThreadPoolExecutor(max_workers=4) as executor:
        total = sum(executor.map(wrap(fetch), range(pages)))
    task_log("Done", total=total)


def main() -> None:
    task_manager.add_task(fetch_all, 5)
    task_manager.drain()
    print(len(memory.log_events), "lines of one task")
    task_manager.close()


if __name__ == "__main__":
    main()
