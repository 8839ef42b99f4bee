"""What a dead process logged is told before what became of its tasks, although both come on different ways."""

from __future__ import annotations

import threading

from otel_taskflow.events import TaskAdopted
from otel_taskflow.ports import JournalSlice


class Precedence:
    """Journals of dead processes that one observer is being told, and which its own process's events have to wait for.

    It holds up the observer's thread only. For several threads.
    """

    def __init__(self) -> None:
        self._due: set[str] = set()
        self._is_void = False
        self._changed = threading.Condition()

    def expect(self, journal_id: str) -> None:
        """That journal comes first. Said before a task of it is taken over."""
        with self._changed:
            self._due.add(journal_id)

    def settle(self, journal_id: str) -> None:
        """It has been told, as far as it will be."""
        with self._changed:
            self._due.discard(journal_id)
            self._changed.notify_all()

    def end(self) -> None:
        """From now on nothing waits: the observer is to be closed, and the next process tells the rest."""
        with self._changed:
            self._is_void = True
            self._changed.notify_all()

    def wait_before(self, piece: JournalSlice) -> None:
        """Block while a task in this slice comes from a journal that is not told yet."""
        if not self._due:
            return
        owners = {event.previous_owner for _, event in piece.events if type(event) is TaskAdopted}
        with self._changed:
            self._changed.wait_for(lambda: self._is_void or owners.isdisjoint(self._due))


__all__ = ["Precedence"]
