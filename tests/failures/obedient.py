"""A program whose tasks do what they are told, in forked processes that are killed. ``python -m tests.failures.obedient``.

``spawn FOLDER`` forks a process that obeys from then on, until ``kill`` or ``stop``. Answers are the line and a JSON value.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from tests.failures.clock import put_clock

# Behind the clock, which replaces the functions that these take by their names.
from otel_taskflow import TaskManager, get_task_context, task_log  # isort: skip
from otel_taskflow.errors import TaskStateError  # isort: skip
from tests.crash.programs import say  # isort: skip

PATIENCE = 30.0


class Obedient:
    """A process with one task for each kind: ``opted_in`` or not, so many retries, so long a wait before each."""

    def __init__(self, folder: str) -> None:
        self.manager = TaskManager(dir=folder, retention_days=10_000.0)
        self.inboxes: dict[str, tuple[asyncio.AbstractEventLoop, asyncio.Queue[str]]] = {}
        self.has_logged = threading.Event()
        self.runs = os.open(Path(folder) / "runs", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self.functions = {
            (opted_in, retries, delay): self._make(opted_in, retries, delay)
            for opted_in in (False, True)
            for retries in (0, 1, 2)
            for delay in (0.0, 3600.0)
        }
        self.manager.start()

    def _make(self, opted_in: bool, retries: int, delay: float) -> Any:
        async def obey() -> None:
            await self._obey()

        name = f"{opted_in} {retries} {delay}"
        return self.manager.task(name=name, requeue_on_interrupt=opted_in, retries=retries, delay=delay)(obey)

    async def _obey(self) -> None:
        context = get_task_context()
        assert context is not None
        os.write(self.runs, f"{context.task_id} {context.attempt}\n".encode())
        inbox: asyncio.Queue[str] = asyncio.Queue()
        self.inboxes[context.task_id] = asyncio.get_running_loop(), inbox
        try:
            while (order := await inbox.get()) != "succeed":
                if order == "fail":
                    raise ValueError("as told")
                task_log(order)
                self.has_logged.set()
        finally:
            del self.inboxes[context.task_id]

    # Verbs

    def add(self, opted_in: bool, retries: int, delay: float) -> str:
        return self.manager.add_task(self.functions[opted_in, retries, delay])

    def clock(self, seconds: float) -> None:
        put_clock(seconds)

    def running(self) -> list[str]:
        """The tasks that await orders."""
        return sorted(self.inboxes)

    def order(self, task_id: str, what: str) -> None:
        """Let a task log, or end its attempt; done when that is durable."""
        engine, (loop, inbox) = self.manager.runtime.engine, self.inboxes[task_id]
        live = engine.get(task_id)
        assert live is not None
        before = live.attempt
        self.has_logged.clear()
        loop.call_soon_threadsafe(inbox.put_nowait, what)
        deadline = time.monotonic() + PATIENCE
        while not self.has_logged.wait(0.001):
            with live.lock:  # the end is journalled while it is held
                if live.attempt is not before:
                    return
            assert time.monotonic() < deadline

    def cancel(self, task_id: str) -> bool:
        """False if there was nothing to cancel."""

        async def cancel() -> bool:
            try:
                await self.manager.cancel(task_id)
            except TaskStateError:
                return False
            else:
                return True
            finally:
                await self.manager.reader().aclose()

        return asyncio.run(cancel())


def serve(folder: str) -> None:
    """Obey, in a forked process."""
    obedient = Obedient(folder)
    say("spawn", json.dumps(os.getpid()))
    for line in sys.stdin:
        verb, *values = line.split()
        if verb == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if verb == "stop":
            obedient.manager.stop(grace=0.0)
            os._exit(0)
        say(line.strip(), json.dumps(getattr(obedient, verb)(*map(json.loads, values))))


def main() -> None:
    for line in sys.stdin:
        verb, value = line.split()
        if verb == "clock":
            put_clock(float(value))
            say(line.strip(), "null")
            continue
        child = os.fork()
        if child == 0:
            serve(json.loads(value))
            os._exit(1)
        _, status = os.waitpid(child, 0)
        say("killed" if os.WIFSIGNALED(status) else f"ended {os.waitstatus_to_exitcode(status)}")


if __name__ == "__main__":
    main()
