"""Threads for sync tasks: our own, daemonic, so that neither the default pool nor interpreter exit waits for them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from otel_taskflow.engine.failures import report


class ThreadPool:
    """Runs calls in at most ``limit`` daemon threads, first come first served. Threads are made when needed."""

    def __init__(self, limit: int, name: str) -> None:
        self._limit = limit
        self._name = name
        self._calls: deque[Callable[[], None]] = deque()
        self._ready = threading.Condition()
        self._idle = 0
        self._threads = 0
        self._closed = False

    def submit(self, call: Callable[[], None]) -> None:
        """Run ``call`` soon. What it raises is logged."""
        with self._ready:
            self._calls.append(call)
            if self._idle >= len(self._calls):
                self._ready.notify()
            elif self._threads < self._limit:
                self._threads += 1
                self._start_thread()
            elif self._idle:
                self._ready.notify()

    @property
    def waiting(self) -> int:
        """Calls that no thread has taken yet."""
        return len(self._calls)

    def close(self) -> None:
        """Idle threads leave; busy ones leave when their call returns. Nothing is joined."""
        with self._ready:
            self._closed = True
            self._ready.notify_all()

    def _start_thread(self) -> None:
        threading.Thread(target=self._work, name=f"{self._name}-{self._threads}", daemon=True).start()

    def _work(self) -> None:
        while (call := self._next_call()) is not None:
            try:
                call()
            except BaseException:  # noqa: BLE001 - the thread serves on, whatever comes through
                report("a thread of tasks caught what should have been contained")
            del call

    def _next_call(self) -> Callable[[], None] | None:
        with self._ready:
            self._idle += 1
            while not self._calls and not self._closed:
                self._ready.wait()
            self._idle -= 1
            if self._calls:
                return self._calls.popleft()
            self._threads -= 1
            return None
