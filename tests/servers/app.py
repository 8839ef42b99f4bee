"""The app that the servers run. Its folder comes from ``OTEL_TASKFLOW_DIR``."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable

from fastapi import Depends, FastAPI, Request, Response

from otel_taskflow import TaskAdmin, TaskManager, task_log

manager = TaskManager(shutdown_grace=float(os.environ.get("GRACE", "0.2")))
app = FastAPI()
TaskAdmin(app, manager)


@manager.task
def quick() -> None:
    task_log(f"in {os.getpid()}")


@manager.task(detached=True)
async def never() -> None:
    task_log(f"in {os.getpid()}")
    await asyncio.Event().wait()


@manager.task(detached=True)
async def second() -> None:
    """Ends in any grace of some seconds."""
    task_log(f"in {os.getpid()}")
    await asyncio.sleep(1)


@manager.task(detached=True)
def block() -> None:
    task_log(f"in {os.getpid()}")
    threading.Event().wait()


@manager.task(detached=True)
def later() -> None:
    task_log(f"in {os.getpid()}")


@app.middleware("http")
async def name_worker(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await call_next(request)
    response.headers["x-worker"] = str(os.getpid())
    return response


@app.post("/quick")
def add_quick(tasks=Depends(manager.get_tasks)) -> str:
    return tasks.add_task(quick)


@app.post("/never")
async def add_never(tasks=Depends(manager.get_tasks)) -> str:
    return tasks.add_task(never)


@app.post("/second")
async def add_second(tasks=Depends(manager.get_tasks)) -> str:
    return tasks.add_task(second)


@app.post("/burst")
def add_burst(tasks=Depends(manager.get_tasks)) -> list[str]:
    """With one thread, only the first of these tasks starts in this process."""
    return [tasks.add_task(function) for function in (block, *[later] * 5)]


@app.get("/health")
async def health() -> None:
    """Says that the server serves."""
