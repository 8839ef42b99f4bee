"""An app whose tasks do what a test wants to see."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from fastapi import Depends, FastAPI

from otel_taskflow import TaskAdmin, TaskManager, TaskObserver, task_log

HOSTILE = "<img src=x onerror=alert(1)></script>\u202etxet"
"""Runs if it is ever taken for HTML; its last part reads backwards if it is shown as it is."""
HOSTILE_AS_SHOWN = "<img src=x onerror=alert(1)></script>\\u202etxet"


class PaymentError(Exception):
    """What the shop's tasks raise."""


class Shop:
    """The app, its manager, and how to add a task, or some: ``POST /shop/{name}?number=&times=``."""

    def __init__(
        self,
        folder: Path,
        observers: Sequence[TaskObserver] = (),
        links: Mapping[str, str] | None = None,
        trace_mode: Literal["child", "link"] = "child",
    ) -> None:
        self.manager = TaskManager(dir=folder, observers=observers, trace_mode=trace_mode)
        self.app = FastAPI()
        self.app.post("/shop/{name}")(self._add())
        self.attempts_to_fail = 2
        self.may_go_on = threading.Event()
        for function in (charge, refuse, report, hostile, patient):
            self.manager.task(name=function.__name__)(function)
        self.manager.task(retries=2, delay=0.3, name="flaky")(self.flaky)
        self.manager.task(name="talk")(self.talk)
        TaskAdmin(self.app, self.manager, title="The shop", display_func_args=True, links=links)

    def _add(self) -> Any:
        async def add(name: str, number: int = 1, times: int = 1, tasks: Any = Depends(self.manager.get_tasks)) -> Any:
            function = getattr(self, name, None) or globals()[name]
            return [tasks.add_task(function, number, tags={"shop": "berlin"}) for _ in range(times)][-1]

        return add

    def flaky(self, number: int) -> None:
        """Fails twice, then succeeds."""
        task_log("Asking the gateway", number=number)
        if self.attempts_to_fail:
            self.attempts_to_fail -= 1
            raise PaymentError(f"the gateway said no, {self.attempts_to_fail} to go")
        task_log("Charged", level="warning")

    def talk(self, number: int) -> None:
        """Writes a line, and another one when it may go on."""
        task_log(f"First word of {number}")
        self.may_go_on.wait(10)
        task_log(f"Last word of {number}")


def charge(number: int) -> None:
    """Succeeds."""
    task_log(f"Charged {number}")


def refuse(number: int) -> None:
    """Fails."""
    raise PaymentError(f"payment {number} was refused")


def report(number: int) -> None:
    """Writes many lines; one in 500 is a warning."""
    for row in range(1, number + 1):
        task_log(f"Row {row}", level="info" if row % 500 else "warning")


def hostile(number: int) -> None:
    """Everything about it wants to be HTML."""
    task_log(HOSTILE, **{f"<b>{number}</b>": HOSTILE})
    raise PaymentError(HOSTILE)


async def patient(number: int) -> None:
    """Runs until it is cancelled."""
    task_log(f"Waiting for {number}")
    await asyncio.Event().wait()
