"""Rests of who makes log records: an SDK computes long for each of them, and the app's tasks want the interpreter lock too."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, sleep, time_ns

STRETCH = 4
"""Records between two rests. Of a busy app's, one: for as long as it takes, a request would wait for the lock."""
LONG_STRETCH = 32
"""Of an app that leaves the lock alone: to rest and come back costs as much as making some records."""
CALM = 1.0
"""Seconds without a sign of work, until an app counts as such."""
SHORT = 0.00025
"""Seconds of a rest."""
LATE = 0.0003
"""Seconds that a rest lasts longer than it should when others have the interpreter lock."""
SHARE = 0.01
"""Of the time that its event loop computes, above which an app has requests: one that answers quickly makes no rest late."""
PAUSE = 0.003
"""Seconds of a rest then: making a record takes a hundredth of that, so hardly a request meets one."""
LARGE_SHARE = 0.25
"""Of the time, above which it is busy, as it is when a rest was late."""
LONG = 0.02
"""Seconds of a rest then: tasks go first, their records follow when there is time. Also between two looks at the loop."""
RECENT = 10.0
"""Seconds that a record may be old and still wait for as long as that; older ones wait less."""
OLD = 30.0
"""Seconds of age from which on no record waits any more."""


class Rests:
    """Short ones while the app has nothing to do, longer ones while it works and nobody waits for the records.

    Args:
        is_awaited: Whether somebody waits for them, as at the end of the process.
        spent: Processor seconds of the app's event loop so far; None if that is not known.
        pause: Sleeps for seconds.
        clock: Monotonic seconds.
        now: Unix nanoseconds.
    """

    def __init__(
        self,
        is_awaited: Callable[[], bool] = lambda: False,
        spent: Callable[[], float | None] = lambda: None,
        *,
        pause: Callable[[float], None] = sleep,
        clock: Callable[[], float] = monotonic,
        now: Callable[[], int] = time_ns,
    ) -> None:
        self._is_awaited, self._pause, self._clock, self._now = is_awaited, pause, clock, now
        self._spent = spent
        self._worked_at = self._looked_at = clock()
        self._spent_then = spent()
        self._share = 0.0
        """Of the time before the last look that the event loop computed."""
        self.stretch = STRETCH
        """Records to make before the next rest."""

    def rest(self, reached: int) -> None:
        """Let others have the interpreter lock. ``reached``: Unix nanoseconds of what was made a record last."""
        begin = self._clock()
        self._pause(SHORT)
        end = self._clock()
        self._look(end)
        is_busy = end - begin > SHORT + LATE or self._share > LARGE_SHARE
        if self._is_awaited() or not (is_busy or self._share > SHARE):
            self.stretch = STRETCH if end - self._worked_at < CALM else LONG_STRETCH
            return
        self._worked_at = end
        patience = patience_at((self._now() - reached) / 1e9)
        self._pause((LONG if is_busy else PAUSE) * patience)
        self.stretch = max(1, round(STRETCH * (1 - patience)))

    def _look(self, at: float) -> None:
        """See what the event loop has done, if it is time."""
        elapsed = at - self._looked_at
        if elapsed < LONG:
            return
        before, now = self._spent_then, self._spent()
        self._spent_then, self._looked_at = now, at
        self._share = 0.0 if before is None or now is None else (now - before) / elapsed


def patience_at(age: float) -> float:
    """How much of a long rest records of this age, in seconds, can wait: from 1 to 0."""
    return min(1.0, max(0.0, (OLD - age) / (OLD - RECENT)))
