"""A program whose only task floods its log in a worker process: ``python -m tests.processes.program FOLDER TOLD COUNT``."""

from __future__ import annotations

import sys
import time

from otel_taskflow import TaskManager
from tests.processes.work import flood_and_wait

if __name__ == "__main__":
    manager = TaskManager(dir=sys.argv[1], max_process_workers=1)
    manager.task(executor="process")(flood_and_wait)
    print(manager.add_task(flood_and_wait, sys.argv[2], int(sys.argv[3])), flush=True)
    time.sleep(60)
