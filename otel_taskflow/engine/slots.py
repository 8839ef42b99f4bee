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

    def acquire(self, start: Callable[[], None]) -> None:
        """Call ``start`` with a slot taken for it, now or later, on the thread that frees one."""
        with self._lock:
            if self._free <= 0:
                self._waiting.append(start)
                return
            self._free -= 1
        start()

    def try_acquire(self) -> bool:
        """Take a slot if one is free now."""
        with self._lock:
            if self._free <= 0:
                return False
            self._free -= 1
            return True

    def release(self) -> None:
        """Give a slot back, to the next start that does not fail. Never raises."""
        while True:
            with self._lock:
                if not self._waiting:
                    self._free += 1
                    return
                start = self._waiting.popleft()
            try:
                start()
            except Exception:  # noqa: BLE001 - who gives a slot back has nothing to do with who gets it
                report("a task could not be started")
            else:
                return

    @property
    def waiting(self) -> int:
        """Starts that wait for a slot."""
        return len(self._waiting)
