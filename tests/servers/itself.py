"""A program that serves itself by its name, so that each process has it twice: as the program and as a module."""

from __future__ import annotations

import sys

import uvicorn
from fastapi import Depends, FastAPI

from otel_taskflow import TaskAdmin, task_log
from tests.servers.app import manager

app = FastAPI()
TaskAdmin(app, manager)


@manager.task
def registered() -> None:
    task_log(__name__)


def undecorated() -> None:
    task_log(__name__)


@app.post("/both")
def add_both(tasks=Depends(manager.get_tasks)) -> list[str]:
    return [tasks.add_task(registered), tasks.add_task(undecorated)]


@app.get("/health")
async def health() -> None:
    """Says that the server serves."""


if __name__ == "__main__":
    port, workers = map(int, sys.argv[1:])
    uvicorn.run("tests.servers.itself:app", port=port, workers=workers, log_level="warning")
