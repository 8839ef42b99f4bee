"""A process is killed in the middle of its tasks; the next one goes on.

Run:  python examples/survives_a_crash.py
"""

import os
import signal
import subprocess
import sys
import time

from otel_taskflow import InMemoryLogger, TaskManager, get_task_context, task_log

memory = InMemoryLogger()
task_manager = TaskManager(max_sync_threads=1, observers=[memory])
VICTIM = "the process that dies"


@task_manager.task(requeue_on_interrupt=True)  # its work may be done twice
def count(steps: int) -> None:
    attempt = get_task_context().attempt
    for step in range(steps):
        task_log("Step", step=step)
        if attempt == 0 and step == 2:
            os.kill(os.getpid(), signal.SIGKILL)


@task_manager.task
def add(one: int, other: int) -> None:
    task_log("Added", total=one + other)


def die() -> None:
    task_manager.add_task(count, 5)
    task_manager.add_task(add, 20, 22)  # waits for the only thread, and never starts here
    time.sleep(60)


def main() -> None:
    ended = subprocess.run([sys.executable, __file__, VICTIM], check=False)
    print("killed by signal", -ended.returncode)
    task_manager.start()  # finds the journal of the dead process
    deadline = time.monotonic() + 20
    while len(memory.log_events) < 6 and time.monotonic() < deadline:  # one line of add, five of count
        task_manager.drain()
        time.sleep(0.05)
    for event in memory.log_events:
        print(event.func_name, "attempt", event.attempt + 1, event.message, dict(event.extra))
    task_manager.close()


if __name__ == "__main__":
    die() if VICTIM in sys.argv else main()
