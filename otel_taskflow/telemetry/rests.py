"""Rests of who makes log records: an SDK computes long for each of them, and the app's tasks want the interpreter lock too."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, sleep

SHORT = 0.00025
"""Seconds of a rest."""
LATE = 0.0003
"""Seconds that a rest lasts longer than it should when others have the interpreter lock."""
LONG = 0.005
"""Seconds of a rest then: tasks go first, their records follow when there is time. The further behind, the shorter."""
FAR = 20_000
"""Events behind, some seconds of a busy app, from which on records are not put off any more."""


class Rests:
    """Short ones while the app has little to do, long ones while it is busy.

    Args:
        lag: How many events wait.
        pause: Sleeps for seconds.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        lag: Callable[[], int] = lambda: 0,
        *,
        pause: Callable[[float], None] = sleep,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._lag, self._pause, self._clock = lag, pause, clock

    def rest(self) -> None:
        """Let others have the interpreter lock."""
        begin = self._clock()
        self._pause(SHORT)
        if self._clock() - begin > SHORT + LATE:
            self._pause(LONG * max(0.0, 1.0 - self._lag() / FAR))
