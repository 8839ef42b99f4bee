"""A module that takes longer to import, in a worker process, than its function may take."""

from __future__ import annotations

import multiprocessing
import time

from otel_taskflow import task_log

LIMIT = 1.0

if multiprocessing.parent_process() is not None:
    time.sleep(LIMIT * 2)


def log_a_line() -> None:
    task_log("imported")
