"""Things to do later: retries and timeouts. One thread, made at the first use."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from time import monotonic_ns

from otel_taskflow.engine.failures import report

FEW = 64
"""So many forgotten timers may wait for their time; more are taken out of the heap once they are half of it."""


class Timer:
    """A call in the future. ``call`` is None once it was made or forgotten."""

    __slots__ = ("call",)

    def __init__(self, call: Callable[[], None]) -> None:
        self.call: Callable[[], None] | None = call


class Timers:
    """A heap of timers by monotonic time."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._heap: list[tuple[int, int, Timer]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._forgotten = 0

    def after(self, nanoseconds: int, call: Callable[[], None]) -> Timer:
        """Call in ``nanoseconds`` from now (at once if not positive), on the timer thread."""
        timer = Timer(call)
        due = monotonic_ns() + max(0, nanoseconds)
        with self._changed:
            heapq.heappush(self._heap, (due, next(self._order), timer))
            self._start_thread()
            self._changed.notify()
        return timer

    def tend(self) -> None:
        """Start the thread, if it could not be started when it was needed."""
        with self._changed:
            if self._heap:
                self._start_thread()

    def _start_thread(self) -> None:
        if self._thread is not None or self._closed:
            return
        thread = threading.Thread(target=self._work, name=self._name, daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the system has none left for this process, for the moment
            report("no thread could be started for timeouts and retries, will try again")
        else:
            self._thread = thread

    def forget(self, timer: Timer) -> None:
        """Do not make its call, nor keep what the call holds. Does nothing if it was made."""
        with self._changed:
            if timer.call is None:
                return
            timer.call = None
            self._forgotten += 1
            if self._forgotten > max(FEW, len(self._heap) // 2):
                self._heap = [entry for entry in self._heap if entry[2].call is not None]
                heapq.heapify(self._heap)
                self._forgotten = 0

    def __len__(self) -> int:
        return len(self._heap)

    def close(self) -> None:
        """Drop all timers and end the thread."""
        with self._changed:
            self._closed = True
            self._heap.clear()
            self._forgotten = 0
            self._changed.notify()

    def _work(self) -> None:
        while not self._closed:
            call = self._next_due()
            if call is None:
                continue
            try:
                call()
            except Exception:  # noqa: BLE001 - the thread serves on
                report("a timer failed")

    def _next_due(self) -> Callable[[], None] | None:
        with self._changed:
            if not self._heap:
                self._changed.wait()
                return None
            wait = self._heap[0][0] - monotonic_ns()
            if wait > 0:
                self._changed.wait(min(wait / 1e9, 3600))
                return None
            timer = heapq.heappop(self._heap)[2]
            call, timer.call = timer.call, None
            if call is None:
                self._forgotten -= 1
            return call
