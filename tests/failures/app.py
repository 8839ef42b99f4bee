"""An app whose workers have one thread for tasks, so that a task can wait behind another."""

from __future__ import annotations

import os
import threading
from collections.abc import Awaitable, Callable

from fastapi import Depends, FastAPI, Request, Response

from otel_taskflow import TaskAdmin, TaskManager, task_log

manager = TaskManager(shutdown_grace=0.2, max_sync_threads=1, detached=True)
app = FastAPI()
TaskAdmin(app, manager)


@manager.task
def quick() -> None:
    task_log(f"in {os.getpid()}")


@manager.task
def never() -> None:
    task_log(f"in {os.getpid()}")
    threading.Event().wait()


@app.middleware("http")
async def name_worker(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await call_next(request)
    response.headers["x-worker"] = str(os.getpid())
    return response


@app.post("/quick")
async def add_quick(tasks=Depends(manager.get_tasks)) -> str:
    return tasks.add_task(quick)


@app.post("/never")
async def add_never(tasks=Depends(manager.get_tasks)) -> str:
    return tasks.add_task(never)


@app.get("/health")
async def health() -> None:
    """Says that the server serves."""
