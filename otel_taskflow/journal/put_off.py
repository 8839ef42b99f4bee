"""What a thread has to write while it is in the middle of a record: from a signal handler, or a destructor."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from otel_taskflow.errors import JournalError


class PutOff:
    """Calls that wait for the end of the record. For whoever has the writer's lock."""

    def __init__(self) -> None:
        self.calls: deque[Callable[[], object]] = deque()

    def catch_up(self) -> int:
        """Make them, first come first served; returns how many could not be kept.

        They are taken out first: a call that finds others here would make those, in the middle of itself.
        """
        waiting, self.calls = self.calls, deque()
        failed = 0
        try:
            while waiting:
                failed += not _is_kept(waiting.popleft())
        finally:
            self.calls.extendleft(reversed(waiting))
        return failed


def _is_kept(call: Callable[[], object]) -> bool:
    try:
        call()
    except (JournalError, OSError):
        return False
    return True
