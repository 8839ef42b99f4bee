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
"""Of the time that its event loop computes, above which an app is busy: one that answers quickly makes no rest late."""
LONG = 0.02
"""Seconds of a rest then: tasks go first, their records follow when there is time. Also between two looks at the loop."""
RECENT = 10.0
"""Seconds that a record may be old and still wait for as long as that; older ones wait less."""
OLD = 30.0
"""Seconds of age from which on no record waits any more."""


class Rests:
    """Short ones while the app has little to do, long ones while it is busy and nobody waits for the records.

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
        self._busy_at = self._looked_at = clock()
        self._spent_then = spent()
        self.stretch = STRETCH
        """Records to make before the next rest."""

    def rest(self, reached: int) -> None:
        """Let others have the interpreter lock. ``reached``: Unix nanoseconds of what was made a record last."""
        begin = self._clock()
        self._pause(SHORT)
        end = self._clock()
        is_busy = self._loop_works(end) or end - begin > SHORT + LATE
        if self._is_awaited() or not is_busy:
            self.stretch = STRETCH if end - self._busy_at < CALM else LONG_STRETCH
            return
        self._busy_at = end
        patience = patience_at((self._now() - reached) / 1e9)
        self._pause(LONG * patience)
        self.stretch = max(1, round(STRETCH * (1 - patience)))

    def _loop_works(self, at: float) -> bool:
        """Whether the event loop has computed for more than its share since the last look, which was ``LONG`` ago at least."""
        elapsed = at - self._looked_at
        if elapsed < LONG:
            return False
        before, self._spent_then, self._looked_at = self._spent_then, self._spent(), at
        return before is not None and self._spent_then is not None and self._spent_then - before > SHARE * elapsed


def patience_at(age: float) -> float:
    """How much of a long rest records of this age, in seconds, can wait: from 1 to 0."""
    return min(1.0, max(0.0, (OLD - age) / (OLD - RECENT)))
