"""Apps that export, and are killed. ``python -m tests.durable.programs NAME FOLDER URL``: each does what lines of input say."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

from otel_taskflow import OTLPExporter, TaskManager, get_task_context, task_log
from tests.crash.programs import WRITERS, Acknowledged, for_ever, say

SCHEDULE_DELAY = 0.05


def manager_of(folder: str, url: str, **settings: Any) -> TaskManager:
    exporter = OTLPExporter(url, schedule_delay=SCHEDULE_DELAY, timeout=2.0)
    manager = TaskManager(**{"dir": folder, "observers": [exporter], **settings})
    for function in (count, begin, fail, quick, paced):
        manager.task(function)
    manager.task(requeue_on_interrupt=True)(begin_again)
    manager.task(retries=1, delay=0.0)(fail_once)
    return manager


def count(folder: str, writer: int) -> None:
    """Numbered lines, flat out, each acknowledged when task_log has returned."""
    acknowledged, number = Acknowledged(Path(folder) / "acknowledged"), 0
    while True:
        number += 1
        task_log(f"{folder} {writer} {number}", writer=writer)
        acknowledged[writer] = number


def begin() -> None:
    _begin()
    for_ever()


def begin_again() -> None:
    _begin()
    if get_task_context().attempt == 0:  # type: ignore[union-attr]
        for_ever()


def _begin() -> None:
    context = get_task_context()
    assert context is not None
    trace.get_current_span().set_attribute("lost.with.the.process", True)
    task_log("begun", order_id="A1")
    parent = getattr(trace.get_current_span(), "parent", None)
    say("running", context.trace_id, context.span_id, f"{parent.span_id:016x}" if parent is not None else "-")


def fail() -> None:
    task_log("trying")
    raise ValueError("no")


def fail_once() -> None:
    if get_task_context().attempt == 0:  # type: ignore[union-attr]
        raise ValueError("not yet")


def quick(number: int = 0) -> None:
    task_log(f"quick {number}")


def paced(a_second: int, seconds: float, name: str) -> list[float]:
    """Log so many lines a second."""
    begun = time.perf_counter()
    for number in range(int(a_second * seconds)):
        task_log(f"{name} {number}")
        ahead = number / a_second - (time.perf_counter() - begun)
        if ahead > 0:
            time.sleep(ahead)
    return []


def flood(folder: str, url: str) -> None:
    """Writers that never end."""
    manager = manager_of(folder, url)
    for writer in range(WRITERS):
        manager.add_task(count, folder, writer)
    say("flooding")
    for_ever()


def obey(folder: str, url: str) -> None:
    """Exports durably, and does what each line of its input says: a verb and JSON values."""
    obey_with(manager_of(folder, url))


def obey_with_recovery_exporter(folder: str, path: str) -> None:
    """Has a provider of its own; the spans of processes that died go to a file, as lines of JSON."""
    _obey_with_provider(folder, path, recovery_exporter=JsonLines(path))


def obey_with_provider(folder: str, path: str) -> None:
    """As above, but without a recovery exporter."""
    _obey_with_provider(folder, path)


def _obey_with_provider(folder: str, path: str, **settings: Any) -> None:
    provider = TracerProvider(resource=Resource.create({"service.name": "shop", "process.pid": os.getpid()}))
    provider.add_span_processor(SimpleSpanProcessor(JsonLines(f"{path}.app")))
    obey_with(manager_of(folder, "http://127.0.0.1:1", observers=[], tracer_provider=provider, **settings))


class JsonLines(SpanExporter):
    """Appends each span to a file."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        with self._path.open("a") as file:
            file.writelines(span.to_json(indent=None) + "\n" for span in spans)
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        say("exporter shut down")


def obey_with(manager: TaskManager) -> None:
    tasks: dict[str, Callable[..., Any]] = {
        each.__name__: each for each in (begin, begin_again, fail, fail_once, quick, paced)
    }
    verbs: dict[str, Callable[..., Any]] = {
        "add": lambda name, *args: manager.add_task(tasks[name], *args),
        "start": manager.start,
        "drain": manager.drain,
        "flush": manager.force_flush,
        "stop": manager.stop,
        "many": lambda number: [manager.add_task(quick, each) for each in range(number)] and None,
    }

    def fork(number: int) -> int:
        """Let a child do a task; returns how it ended."""
        child = os.fork()
        if child:
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        manager.add_task(quick, number)
        is_done = manager.drain() and manager.force_flush(20.0)
        manager.stop()
        os._exit(0 if is_done else 1)

    verbs["fork"] = fork
    for line in sys.stdin:
        verb, *values = line.split()
        say(line.strip(), json.dumps(verbs[verb](*map(json.loads, values)), default=str))


def serve(folder: str, url: str) -> None:
    """A real server with the dashboard; each request adds a task that takes a moment."""
    import uvicorn  # the other programs are started a hundred times
    from fastapi import Depends, FastAPI

    from otel_taskflow import TaskAdmin

    manager = manager_of(folder, url, shutdown_grace=2.0)
    app = FastAPI()
    TaskAdmin(app, manager, insecure=True, print_link=False)

    async def slowly(number: int) -> None:
        task_log(f"slowly {number}")
        await asyncio.sleep(0.2)

    manager.task(slowly)

    @app.post("/add")
    async def add(number: int, tasks: Any = Depends(manager.get_tasks)) -> str:
        return str(tasks.add_task(slowly, number))

    listener = socket.create_server(("127.0.0.1", 0))
    say("address", f"http://127.0.0.1:{listener.getsockname()[1]}")
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
    say("gone")


if __name__ == "__main__":
    programs = (flood, obey, obey_with_provider, obey_with_recovery_exporter, serve)
    {each.__name__: each for each in programs}[sys.argv[1]](*sys.argv[2:])
