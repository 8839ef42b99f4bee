"""What is imported when: a script without an app does without FastAPI, an app that is only imported without what runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from fastapi import Depends, FastAPI

from otel_taskflow import TaskManager
from otel_taskflow.testing.otlp_receiver import OTLPReceiver, Reply

SCRIPT = """
from otel_taskflow import TaskManager, task_log

manager = TaskManager(dir=sys.argv[1])


@manager.task
def greet(name: str) -> None:
    task_log("hello", name=name)


manager.add_task(greet, "you")
assert manager.drain()
manager.stop()
"""
APP = """
from fastapi import Depends, FastAPI
from otel_taskflow import TaskAdmin, TaskManager, task_log

manager = TaskManager(dir=sys.argv[1])
app = FastAPI()
TaskAdmin(app, manager)


@manager.task(retries=1)
def greet(name: str) -> None:
    task_log("hello", name=name)


@app.post("/")
def post(tasks=Depends(manager.get_tasks)):
    return tasks.add_task(greet, "you")
"""
EXPORTING = """
import sys, threading
from otel_taskflow import OTLPExporter, TaskManager


class Watch:
    @staticmethod
    def find_spec(name, path, target=None):
        if threading.current_thread().name.startswith("otel_taskflow-otlp-"):
            print(name)


sys.meta_path.insert(0, Watch)
manager = TaskManager(dir=sys.argv[1], observers=[OTLPExporter(sys.argv[2], schedule_delay=0.01)])
manager.add_task(print, "a task")
assert manager.drain()
assert manager.force_flush(20)
manager.stop()
"""


def imported_by(program: str, folder: Path, *modules: str) -> str:
    """Those of these modules that this program has imported."""
    text = f"import sys\n{program}\nprint(*[name for name in {modules} if name in sys.modules])\n"
    command = [sys.executable, "-c", text, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


def test_a_script_without_an_app_imports_no_web_framework(tmp_path: Path) -> None:
    assert (
        imported_by(SCRIPT, tmp_path / "tasks", "fastapi", "starlette", "otel_taskflow.web", "aiosqlite") == "aiosqlite"
    )


def test_an_app_that_is_only_imported_imports_nothing_that_runs(tmp_path: Path) -> None:
    running = (
        "aiosqlite",
        "otel_taskflow.consumers",
        "otel_taskflow.stores",
        "otel_taskflow.manager.runtime",
    )
    assert imported_by(APP, tmp_path / "tasks", *running) == ""


def test_a_thread_that_sends_imports_nothing_so_that_a_fork_cannot_leave_a_module_locked(tmp_path: Path) -> None:
    with OTLPReceiver() as receiver:
        receiver.reply(Reply(503), Reply(200))
        command = [sys.executable, "-c", EXPORTING, str(tmp_path), receiver.url]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines() == ["a task"]


def test_the_process_that_writes_the_store_imports_nothing_that_reads_it(tmp_path: Path) -> None:
    program = "import otel_taskflow.consumers.store_process.child"
    assert imported_by(program, tmp_path, "asyncio", "ssl", "aiosqlite", "concurrent.futures", "opentelemetry") == ""


def test_the_dependency_is_one_object_so_that_an_app_can_override_it(tmp_path: Path) -> None:
    manager = TaskManager(dir=tmp_path)
    app = FastAPI(dependencies=[Depends(manager.get_tasks)])
    app.dependency_overrides[manager.get_tasks] = list
    assert manager.background_tasks in app.dependency_overrides
