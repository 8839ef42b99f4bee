"""Observers of several kinds: plain and async ones, and such as fail or hang."""

from __future__ import annotations

import asyncio
import threading

from otel_taskflow.events import LifecycleEvent, LogEvent
from otel_taskflow.observers import TaskObserver


class Recorder(TaskObserver):
    """Keeps what it is told as text, and where it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.threads: set[threading.Thread] = set()

    def startup(self) -> None:
        self._tell("startup")

    def on_log(self, event: LogEvent) -> None:
        self._tell(event.message)

    def on_lifecycle(self, event: LifecycleEvent) -> None:
        self._tell(event.status.name)

    def close(self) -> None:
        self._tell("close")

    def _tell(self, what: str) -> None:
        self.told.append(what)
        self.threads.add(threading.current_thread())


class AsyncRecorder(TaskObserver):
    """As Recorder, with coroutines that take turns, and the loops they ran on."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.loops: set[asyncio.AbstractEventLoop] = set()

    async def startup(self) -> None:
        await self._tell("startup")

    async def on_log(self, event: LogEvent) -> None:
        await self._tell(event.message)

    async def on_lifecycle(self, event: LifecycleEvent) -> None:
        await self._tell(event.status.name)

    async def close(self) -> None:
        await self._tell("close")

    async def _tell(self, what: str) -> None:
        await asyncio.sleep(0)
        self.told.append(what)
        self.loops.add(asyncio.get_running_loop())


class Failing(TaskObserver):
    """Raises as often as told, then works."""

    def __init__(self, failures: int, error: type[BaseException] = ValueError) -> None:
        self.left = failures
        self.error = error
        self.calls = 0

    def on_log(self, event: LogEvent) -> None:
        self.calls += 1
        if self.left:
            self.left -= 1
            raise self.error("no")


class AsyncFailing(Failing):
    """As Failing, in a coroutine."""

    async def on_log(self, event: LogEvent) -> None:  # type: ignore[override]
        await asyncio.sleep(0)
        super().on_log(event)


class Hanging(TaskObserver):
    """Blocks its thread at the first line until released."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.release = threading.Event()
        self.told: list[str] = []

    def on_log(self, event: LogEvent) -> None:
        self.entered.set()
        assert self.release.wait(30)
        self.told.append(event.message)
