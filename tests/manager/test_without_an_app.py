"""A script that only adds tasks does not wait for FastAPI, whose import takes longer than that of all the rest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from fastapi import Depends, FastAPI

from otel_taskflow import TaskManager

SCRIPT = """
import sys
from otel_taskflow import TaskManager, task_log

manager = TaskManager(dir=sys.argv[1])


@manager.task
def greet(name: str) -> None:
    task_log("hello", name=name)


manager.add_task(greet, "you")
assert manager.drain()
manager.stop()
print([name for name in ("fastapi", "starlette") if name in sys.modules])
"""


def test_a_manager_without_an_app_imports_no_web_framework(tmp_path: Path) -> None:
    script = [sys.executable, "-c", SCRIPT, str(tmp_path / "tasks")]
    assert subprocess.run(script, capture_output=True, text=True, check=True, timeout=60).stdout == "[]\n"


def test_the_dependency_is_one_object_so_that_an_app_can_override_it(tmp_path: Path) -> None:
    manager = TaskManager(dir=tmp_path)
    app = FastAPI(dependencies=[Depends(manager.get_tasks)])
    app.dependency_overrides[manager.get_tasks] = list
    assert manager.background_tasks in app.dependency_overrides
