"""Run as a program: a worker beside the tested one, or a server. Answers each line of its input."""

from __future__ import annotations

import sys
import threading

import uvicorn
from fastapi import FastAPI

from otel_taskflow import TaskAdmin, TaskManager

HOST = "127.0.0.1"


def work() -> None:
    """A task."""


def add(folder: str) -> None:
    """Add a task for each line and answer with its id."""
    tasks = TaskManager(dir=folder)
    tasks.task(work)
    for _ in sys.stdin:
        print(tasks.add_task(work), flush=True)


def serve(folder: str) -> None:
    """Serve an app; answer with its address and token."""
    tasks = TaskManager(dir=folder)
    app = FastAPI()
    TaskAdmin(app, tasks)
    server = uvicorn.Server(uvicorn.Config(app, host=HOST, port=0, log_level="error"))

    def answer() -> None:
        sys.stdin.readline()
        while not server.started:
            threading.Event().wait(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        print(f"http://{HOST}:{port}", tasks.access_token(), flush=True)

    threading.Thread(target=answer, daemon=True).start()
    server.run()


if __name__ == "__main__":
    {"add": add, "serve": serve}[sys.argv[1]](sys.argv[2])
