"""Programs that serve, for ``python -m tests.crash.programs``."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import socket
import threading
import time
from pathlib import Path

import uvicorn
from fastapi import Depends, FastAPI

from otel_taskflow import TaskAdmin, TaskManager, task_log
from tests.crash.programs import never, quick, say


def tell_stopping() -> None:
    """Called in a signal handler, which may have interrupted a print."""
    os.write(1, b"stopping\n")


def serve(folder: str, grace: str) -> None:
    """An app with a route for each kind of task, behind a real server. ``finish`` is the file they wait for."""
    manager = TaskManager(dir=folder, shutdown_grace=float(grace))
    app = FastAPI()
    manager.init_app(app)
    manager.on_stop(tell_stopping)
    finish = Path(folder) / "finish"

    def sync_task() -> None:
        say("running")
        while not finish.exists():
            time.sleep(0.01)

    async def async_task() -> None:
        say("running")
        try:
            while not finish.exists():
                await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            task_log("told to end")
            raise

    async def on_a_thread() -> None:
        say("running")
        await asyncio.to_thread(time.sleep, 60)

    @app.post("/on_all_threads")
    async def fill(tasks=Depends(manager.get_tasks)) -> list[str]:
        """Take all threads that the loop has for blocking calls."""
        add_one = manager.task(detached=True)(on_a_thread)
        return [tasks.add_task(add_one) for _ in range(min(32, (os.cpu_count() or 1) + 4))]

    @app.post("/{kind}")
    def add(kind: str, opted_in: bool = False, tasks=Depends(manager.get_tasks)) -> str:
        function = async_task if kind == "async" else sync_task
        return tasks.add_task(manager.task(requeue_on_interrupt=opted_in)(function))

    listener = socket.create_server(("127.0.0.1", 0))
    say("address", f"http://127.0.0.1:{listener.getsockname()[1]}")
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
    say("gone")


def serve_and_be_killed(folder: str) -> None:
    """A route that is never answered, and one whose task waits behind another that never ends."""
    manager = TaskManager(dir=folder, max_sync_threads=1)
    app = FastAPI()
    manager.init_app(app)
    manager.task(never)
    manager.task(detached=True)(quick)

    @app.post("/unanswered")
    async def add_unanswered(tasks=Depends(manager.get_tasks)) -> None:
        say("added", tasks.add_task(quick))
        await asyncio.Event().wait()

    @app.post("/answered")
    def add_answered(tasks=Depends(manager.get_tasks)) -> str:
        manager.add_task(never)
        return tasks.add_task(quick)

    listener = socket.create_server(("127.0.0.1", 0))
    say("address", f"http://127.0.0.1:{listener.getsockname()[1]}")
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])


def serves_while_taking_over(folder: str) -> None:
    """A real server that says now and then how far it is with what others have left, and how much memory it has."""
    manager = TaskManager(dir=folder, shutdown_grace=0.0)
    manager.task(quick)
    manager.task(never)
    app = FastAPI()
    TaskAdmin(app, manager, insecure=True, print_link=False)
    listener = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    say("starting", address, memory())
    threading.Thread(target=_tell_progress, args=(manager,), daemon=True).start()
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])


def _tell_progress(manager: TaskManager) -> None:
    while not manager.is_started:
        time.sleep(0.01)
    say("never", manager.add_task(never))
    while True:
        takeover = manager.runtime.takeover
        found = [] if takeover is None else [each._asdict() for each in takeover.progress()]
        say("progress", json.dumps({"memory": memory(), "takeovers": found}))
        time.sleep(0.2)


def memory() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
