"""A task whose process died goes on in another one, in the same trace."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

from otel_taskflow import TaskManager
from tests.conftest import ROOT
from tests.telemetry.parts import Recorder, ids

DIES = """
import json, os, sys
from opentelemetry.sdk.trace import TracerProvider
from otel_taskflow import ManagedBackgroundTasks, TaskManager, get_task_context
tasks = TaskManager(dir=sys.argv[1], tracer_provider=TracerProvider(shutdown_on_exit=False))

@tasks.task(requeue_on_interrupt=True)
def work():
    me = get_task_context()
    print(json.dumps([me.trace_id, me.span_id]), flush=True)
    os._exit(9)

tasks.start()
ManagedBackgroundTasks(tasks).add_task(work, eager=True)
import time; time.sleep(30)
"""


def test_the_next_attempt_is_a_sibling_linked_to_the_one_that_died(recorder: Recorder, tmp_path: Path) -> None:
    dead = subprocess.run(
        [sys.executable, "-c", DIES, str(tmp_path)],
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert dead.returncode == 9, dead.stderr
    trace_id, span_id = json.loads(dead.stdout)
    manager = TaskManager(dir=str(tmp_path), tracer_provider=recorder.tracer_provider)
    ran = threading.Event()
    manager.task(requeue_on_interrupt=True)(work_of(ran))
    manager.start()
    try:
        assert ran.wait(20)
    finally:
        manager.stop()
    process = recorder.span("process work")
    assert ids(process)[0] == trace_id
    assert process.parent is not None
    assert process.parent.is_remote
    assert [f"{link.context.span_id:016x}" for link in process.links][1:] == [span_id]
    assert (process.attributes or {})["otel_taskflow.attempt.number"] == 2


def work_of(ran: threading.Event):  # type: ignore[no-untyped-def] # the decorator takes any function
    def work() -> None:
        ran.set()

    return work
