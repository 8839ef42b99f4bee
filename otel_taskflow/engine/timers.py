"""Things to do later: retries and timeouts. One thread, made at the first use."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from time import monotonic_ns

from otel_taskflow.engine.failures import report


class Timer:
    """A call in the future; ``cancel`` makes it do nothing."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[[], None]) -> None:
        self._call: Callable[[], None] | None = call

    def cancel(self) -> None:
        """Forget the call."""
        self._call = None

    def fire(self) -> None:
        """Make the call, unless it was cancelled."""
        call, self._call = self._call, None
        if call is not None:
            call()


class Timers:
    """A heap of timers by monotonic time."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._heap: list[tuple[int, int, Timer]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def after(self, nanoseconds: int, call: Callable[[], None]) -> Timer:
        """Call in ``nanoseconds`` from now (at once if not positive), on the timer thread."""
        timer = Timer(call)
        due = monotonic_ns() + max(0, nanoseconds)
        with self._changed:
            heapq.heappush(self._heap, (due, next(self._order), timer))
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._thread.start()
            self._changed.notify()
        return timer

    def close(self) -> None:
        """Drop all timers and end the thread."""
        with self._changed:
            self._closed = True
            self._heap.clear()
            self._changed.notify()

    def _work(self) -> None:
        while not self._closed:
            timer = self._next_due()
            if timer is None:
                continue
            try:
                timer.fire()
            except Exception:  # noqa: BLE001 - the thread serves on
                report("a timer failed")

    def _next_due(self) -> Timer | None:
        with self._changed:
            if not self._heap:
                self._changed.wait()
                return None
            wait = self._heap[0][0] - monotonic_ns()
            if wait > 0:
                self._changed.wait(min(wait / 1e9, 3600))
                return None
            return heapq.heappop(self._heap)[2]
