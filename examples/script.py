"""Tasks without a request and without an app: from a script, a management command, a cron job.

Run:  python examples/script.py
"""

import asyncio

from otel_taskflow import TaskManager, task_log

task_manager = TaskManager()


@task_manager.task(retries=2, delay=0.1)
def resize(path: str) -> None:
    task_log("Resized", path=path, width=640)


@task_manager.task
async def notify(name: str) -> None:
    await asyncio.sleep(0.01)
    task_log("Notified", name=name)


def main() -> None:
    for number in range(3):
        task_manager.add_task(resize, f"picture-{number}.jpg", tags={"album": "summer"})
    first = task_manager.add_task(notify, "ada", idempotency_key="notify-ada")
    again = task_manager.add_task(notify, "ada", idempotency_key="notify-ada")  # the task that is there already
    print("one task, not two:", first == again)
    print("all ended:", task_manager.drain(timeout=30))
    task_manager.close()


if __name__ == "__main__":
    main()
