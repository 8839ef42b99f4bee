"""Cancel a task that runs, and run it again by hand: a new task, tied to the first one.

Run:  python examples/cancel.py
"""

import asyncio

from otel_taskflow import TaskManager, TaskStateError, task_log

task_manager = TaskManager()
started = asyncio.Event()


@task_manager.task
async def export(table: str) -> None:
    task_log("Exporting", table=table)
    started.set()
    try:
        await asyncio.sleep(60)
    finally:  # a cancelled task may clean up, and log
        task_log("Removed what was half done")


async def main() -> None:
    task_id = task_manager.add_task(export, "orders")
    await started.wait()
    cancelled = await task_manager.cancel(task_id, actor="ada")
    print(cancelled.status.value, cancelled.reason)

    again = await task_manager.retry(task_id)
    print("repeats the first one:", again.retry_of == task_id)
    await task_manager.cancel(again.task_id)
    try:
        await task_manager.cancel(again.task_id)
    except TaskStateError as error:
        print(error)


if __name__ == "__main__":
    asyncio.run(main())
    task_manager.close()
