"""How often, how long and for which errors a task is tried again.

Run:  cd examples && uvicorn retries_and_timeouts:app
Try:  for task in charge import_orders call_partner; do curl -X POST http://127.0.0.1:8000/run/$task; done
"""

import asyncio

from fastapi import Depends, FastAPI, HTTPException

from otel_taskflow import TaskAdmin, TaskManager, get_task_context, task_log

task_manager = TaskManager()
app = FastAPI()
TaskAdmin(app, task_manager)


class GatewayError(Exception):
    """Worth another try."""


class CardRefusedError(Exception):
    """Would be refused again."""


@task_manager.task(retries=5, delay=1.0, retry_on=GatewayError)
def charge() -> None:
    task_log("Charging")
    raise CardRefusedError("the card has expired")  # not in retry_on: one attempt, then failed


@task_manager.task(retries=4, delay=0.1, backoff=2.0, max_delay=0.5, jitter=0.5)
def import_orders() -> None:
    attempt = get_task_context().attempt  # 0 for the first
    task_log("Importing", attempt_number=attempt + 1)
    if attempt < 2:
        raise GatewayError("the other side is busy")


@task_manager.task(retries=1, timeout=0.2)
async def call_partner() -> None:
    task_log("Calling")
    await asyncio.sleep(0.0 if get_task_context().attempt else 60.0)  # the first attempt passes its timeout
    task_log("Answered")


TASKS = {function.__name__: function for function in (charge, import_orders, call_partner)}


@app.post("/run/{task}")
def run(task: str, tasks=Depends(task_manager.get_tasks)):
    if task not in TASKS:
        raise HTTPException(404, f"there is no task {task!r}; there are {', '.join(TASKS)}")
    return {"task_id": tasks.add_task(TASKS[task])}
