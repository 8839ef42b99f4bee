"""How late an event loop is, and which task held it up. Nobody is declared dead because of it."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any, NamedTuple

from otel_taskflow.context import attempt_in

PERIOD = 0.25
"""Seconds between two beats of the loop."""
HANGS = 0.05
"""Seconds that a beat is overdue when whatever runs on the loop is noted down as what holds it up."""
TOO_LATE = 1.0
"""Seconds of lateness that are worth a line in the log."""
MEMORY = 60.0
"""Seconds that the worst is remembered for, and between two lines in the log."""

_logger = logging.getLogger("otel_taskflow")
NameOf = Callable[["asyncio.Task[Any]"], str | None]
"""The name of the task whose attempt is this asyncio task; None if it is none."""


class Lag(NamedTuple):
    """How late the loop was."""

    at: float
    seconds: float
    culprit: str | None = None
    """The task whose attempt was running; None if it was none of ours, or nobody looked in time."""


class LoopLag:
    """A call on one loop, four times a second. It keeps no loop running, and stops with what it follows.

    Whoever calls ``look``, from another thread, sees a loop that hangs while it hangs, and what runs on it.
    """

    def __init__(self) -> None:
        self.name_of: NameOf = _nobody
        self._loop: asyncio.AbstractEventLoop | None = None
        self._clock: int | None = None
        self._due: float | None = None
        self._culprit: str | None = None
        self._lags: deque[Lag] = deque(maxlen=int(MEMORY / PERIOD))
        self._said_at = -MEMORY
        self._saying = threading.Lock()

    def follow(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """Measure this loop from now on, or none."""
        if loop is self._loop:
            return
        self._loop, self._clock, self._due, self._culprit = loop, None, None, None
        self._lags.clear()
        if loop is not None:
            with suppress(RuntimeError):  # it was closed just now
                loop.call_soon_threadsafe(self._begin, loop)

    def look(self) -> Lag:
        """How late it is: now, if it hangs, else at its last beat. Says so once if that is much."""
        loop, due = self._loop, self._due
        overdue = 0.0 if loop is None or due is None or not loop.is_running() else monotonic() - due
        if loop is None or overdue < HANGS:
            return self._lags[-1] if self._lags else Lag(monotonic(), 0.0)
        self._culprit = self._running_on(loop) or self._culprit
        lag = Lag(monotonic(), overdue, self._culprit)
        self._say(lag)
        return lag

    def worst(self) -> Lag:
        """The latest that it was within the last minute."""
        now = self.look()
        lags = [each for each in list(self._lags) if each.at > monotonic() - MEMORY]
        return max([*lags, now], key=lambda each: each.seconds)

    def spent(self) -> float | None:
        """Processor seconds of the loop's thread so far; None if there is no loop, or the system keeps no such clock."""
        clock = self._clock
        try:
            return None if clock is None else time.clock_gettime(clock)
        except OSError:  # the thread has ended
            return None

    # On the loop

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        if loop is self._loop:
            self._clock = _clock_of_this_thread()
            self._go_on(loop)

    def _go_on(self, loop: asyncio.AbstractEventLoop) -> None:
        if loop is self._loop:
            self._due = monotonic() + PERIOD
            loop.call_later(PERIOD, self._beat, loop)

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        due, now = self._due, monotonic()
        if loop is not self._loop or due is None:
            return
        lag = Lag(now, max(0.0, now - due), self._culprit)
        self._culprit = None
        self._lags.append(lag)
        self._say(lag)
        self._go_on(loop)

    def _say(self, lag: Lag) -> None:
        if lag.seconds < TOO_LATE:
            return
        with self._saying:
            if lag.at < self._said_at + MEMORY:
                return
            self._said_at = lag.at
        who = "no task of ours" if lag.culprit is None else f"task {lag.culprit}"
        _logger.warning(
            "otel_taskflow: the app's event loop has been held up for %.1f s, by %s; nothing else runs on it meanwhile: do what "
            "blocks in a plain function, which runs on a thread, or with asyncio.to_thread",
            lag.seconds,
            who,
        )

    def _running_on(self, loop: asyncio.AbstractEventLoop) -> str | None:
        """The name of the task whose attempt, or a child of it, runs on the loop at this moment."""
        running = asyncio.current_task(loop)
        return None if running is None else _named_by_context(running) or self.name_of(running)


def _clock_of_this_thread() -> int | None:
    """Asked on the thread itself, for the id of one that has ended must not be passed on. Not kept by macOS."""
    ask = getattr(time, "pthread_getcpuclockid", None)
    return None if ask is None else ask(threading.get_ident())


def _named_by_context(running: asyncio.Task[Any]) -> str | None:
    """From Python 3.12 on; knows children of an attempt, too."""
    get_context = getattr(running, "get_context", None)
    attempt = None if get_context is None else attempt_in(get_context())
    return None if attempt is None else attempt.context.func_name


def _nobody(_: asyncio.Task[Any]) -> None:
    """There is no engine yet."""
