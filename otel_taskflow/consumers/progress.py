"""How far a consumer has come, and who waits for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from time import monotonic


class Progress:
    """A sequence number that grows. Waiting costs the one who advances nothing while nobody waits."""

    def __init__(self, at: int = 0) -> None:
        self.at = at
        self._waiting: list[tuple[int, Callable[[], None]]] = []
        self._lock = threading.Lock()

    def advance(self, seq: int) -> None:
        """Everything up to ``seq`` is done."""
        self.at = seq
        if self._waiting:
            with self._lock:
                reached = [call for wanted, call in self._waiting if wanted <= seq]
                self._waiting = [each for each in self._waiting if each[0] > seq]
            for call in reached:
                call()

    def _call_at(self, seq: int, call: Callable[[], None]) -> None:
        with self._lock:
            self._waiting.append((seq, call))
        # Looked at once more: who advanced before the line above has not seen it. A second call does no harm.
        if self.at >= seq:
            self._forget(call)
            call()

    def _forget(self, call: Callable[[], None]) -> None:
        with self._lock:
            self._waiting = [each for each in self._waiting if each[1] is not call]

    def wait(self, seq: int, timeout: float) -> bool:
        """Block until ``seq`` is done; False when ``timeout`` seconds passed first."""
        if self.at >= seq:
            return True
        reached = threading.Event()
        call = reached.set
        self._call_at(seq, call)
        reached.wait(max(0.0, timeout))
        self._forget(call)
        return self.at >= seq

    async def reached(self, seq: int, timeout: float) -> bool:
        """As ``wait``, without blocking the event loop."""
        if self.at >= seq:
            return True
        loop = asyncio.get_running_loop()
        future = loop.create_future()

        def call() -> None:
            _call_on(loop, resolve)

        def resolve() -> None:
            if not future.done():
                future.set_result(None)

        self._call_at(seq, call)
        try:
            await asyncio.wait_for(future, timeout)
        except (TimeoutError, asyncio.TimeoutError):
            self._forget(call)
        return self.at >= seq


class SharedTime:
    """Seconds that several waits share. They run from the first time that somebody asks what is left."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._deadline: float | None = None

    @property
    def left(self) -> float:
        """Seconds, not below 0."""
        if self._deadline is None:
            self._deadline = monotonic() + self._seconds
        return remaining(self._deadline)


def remaining(deadline: float) -> float:
    """Seconds until a ``time.monotonic()`` deadline, not below 0."""
    return max(0.0, deadline - monotonic())


def _call_on(loop: asyncio.AbstractEventLoop, call: Callable[[], object]) -> None:
    try:
        loop.call_soon_threadsafe(call)
    except RuntimeError:
        return
