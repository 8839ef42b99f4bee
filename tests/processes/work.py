"""What worker processes run: functions of a module, which both processes find by their names."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opentelemetry import trace

from otel_taskflow import TaskManager, get_task_context, task_log


class PaymentError(Exception):
    """Says more than its message, and so cannot be made again from that alone."""

    def __init__(self, code: int, order: str) -> None:
        super().__init__(f"{order} was refused with {code}")


@dataclass(frozen=True)
class FrozenError(Exception):
    """Its attributes cannot be set, not even those that every exception has."""

    code: int


def log_lines(count: int) -> None:
    for number in range(count):
        task_log(f"line {number}", number=number)


def tell_process(path: str) -> None:
    Path(path).write_text(str(os.getpid()))
    task_log("told", pid=os.getpid(), password="secret")


def tell_context(path: str) -> None:
    context, span = get_task_context(), trace.get_current_span().get_span_context()
    assert context is not None
    Path(path).write_text(
        f"{context.task_id} {context.attempt} {context.tags} {span.trace_id:032x} {span.span_id:016x}"
    )


def refuse() -> None:
    task_log("trying")
    raise PaymentError(500, "A1")


def refuse_for_good() -> None:
    raise FrozenError(500)


def return_a_lock() -> Any:
    return threading.Lock()


def return_a_generator() -> Any:
    return (number for number in range(3))


def kill_itself() -> None:
    task_log("about to go")
    os.kill(os.getpid(), signal.SIGKILL)


def exit_hard() -> None:
    os._exit(7)


def flood_and_wait(path: str, count: int) -> None:
    log_lines(count)
    Path(path).write_text(str(os.getpid()))
    time.sleep(60)


def take(value: object) -> None:
    task_log("got", value=value)


def leave_a_thread(path: str) -> None:
    from otel_taskflow import wrap

    def later() -> None:
        while not Path(path).exists():
            time.sleep(0.01)
        task_log("late")

    threading.Thread(target=wrap(later), daemon=True).start()
    task_log("in time")


def start_a_program(path: str) -> None:
    program = subprocess.Popen(["sleep", "600"])
    Path(path).write_text(f"{program.pid}")
    program.wait()


def last_a_moment(path: str) -> None:
    Path(path).write_text(str(os.getpid()))
    time.sleep(0.5)
    task_log("done")


def add_another(folder: str) -> None:
    TaskManager(dir=folder).add_task(take, 1)


def fork_into_nothing() -> None:
    """The child comes back from here with an exception."""
    child = os.fork()
    if child == 0:
        os.execvp("no-such-program", ["no-such-program"])
    os.waitpid(child, 0)
    task_log("the parent")
