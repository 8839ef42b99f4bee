"""One call of task_log in one task, sent to a real Loki."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from otel_taskflow import OTLPExporter, TaskManager, task_log
from tests.backends.loki import Line, Loki
from tests.backends.stack import wait_until

LINE = '{service_name=~".+"} | otel_taskflow_task_name="speak" | log_record_uid=~".+-1"'


def say_in_a_task(folder: Path, loki: Loki, message: str, **extra: Any) -> Line:
    """The line that Loki keeps of the call."""
    tasks = TaskManager(dir=folder / "state", observers=[OTLPExporter.loki(loki.url, schedule_delay=0.0)])

    @tasks.task
    def speak() -> None:
        task_log(message, **extra)

    tasks.add_task(speak)
    assert tasks.drain()
    assert tasks.force_flush(30.0), "Loki did not take something"
    tasks.close()
    wait_until(lambda: bool(loki.lines(LINE)))
    (line,) = loki.lines(LINE)
    return line
