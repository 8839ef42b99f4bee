"""How many async attempts may run at once, over all event loops of the process."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from otel_taskflow.engine.failures import report


class Slots:
    """A counter with a queue. ``acquire`` calls back at once or when a slot is free, first come first served."""

    def __init__(self, limit: int) -> None:
        self._free = limit
        self._waiting: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()
        self._own = threading.local()
        """``is_giving``, on a thread that gives slots out further up."""

    def acquire(self, start: Callable[[], None]) -> None:
        """Call ``start`` with a slot taken for it, now or later, on the thread that frees one. Raises what it raises now."""
        with self._lock:
            if self._free <= 0:
                self._waiting.append(start)
                return
            self._free -= 1
        try:
            start()
        except BaseException:
            self.release()
            raise

    def try_acquire(self) -> bool:
        """Take a slot if one is free now."""
        with self._lock:
            if self._free <= 0:
                return False
            self._free -= 1
            return True

    def release(self) -> None:
        """Give a slot back, to the next start that does not fail. Never raises.

        A start may give its slot back before it returns: then whoever called it goes on to the next, instead of each calling
        another, deeper and deeper.
        """
        with self._lock:
            self._free += 1
        if getattr(self._own, "is_giving", False):
            return
        self._own.is_giving = True
        try:
            while (start := self._next()) is not None:
                self._give(start)
        finally:
            self._own.is_giving = False

    def _next(self) -> Callable[[], None] | None:
        """Who is to have a slot that is free, and is taken for it."""
        with self._lock:
            if not self._waiting or self._free <= 0:
                return None
            self._free -= 1
            return self._waiting.popleft()

    def _give(self, start: Callable[[], None]) -> None:
        try:
            start()
        except Exception:  # noqa: BLE001 - who gives a slot back has nothing to do with who gets it
            with self._lock:
                self._free += 1
            report("a task could not be started")

    @property
    def waiting(self) -> int:
        """Starts that wait for a slot."""
        return len(self._waiting)
