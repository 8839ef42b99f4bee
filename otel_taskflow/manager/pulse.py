"""Whether the store answers: what became of the question that housekeeping asks it twice a second anyway."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import NamedTuple, TypeVar

from otel_taskflow.health import DEGRADED, FAILED, OK, Figure, PartHealth
from otel_taskflow.ports import Store
from otel_taskflow.values.lines import one_line
from otel_taskflow.values.text import as_text, cut

PART = "store"
SILENCE = 10.0
"""Seconds without an answer from which on the store counts as not to be had."""
LONGEST_TEXT = 500
"""Bytes of an error's text that health shows."""

Answer = TypeVar("Answer")
_REMEDY_OF_DAMAGE = (
    "check that disk; what the journals still had is written again, the rest is counted as store_corrupt; delete the file "
    "when you have seen it"
)
_REMEDY = "tasks run on and wait in the journal; see that the store can be reached, and the log"


class StandIn(NamedTuple):
    """A store in memory in place of the one that was asked for: what that means, and how unwell it is."""

    why: str
    state: str
    """ "degraded", or "failed" if it takes no tasks."""


def stand_in_for(on_store_error: str, error: Exception) -> StandIn:
    """What ``on_store_error="degrade"`` or ``"refuse"`` makes of a store that cannot be used."""
    if on_store_error == "refuse":
        return StandIn(f"tasks are refused, until this process ends: {error}", FAILED)
    return StandIn(f"tasks are kept in memory only, until this process ends: {error}", DEGRADED)


class Pulse:
    """Watches the questions to one store.

    Args:
        write_trouble: What the last try to write a slice raised; None if it went well.
        stand_in: If it is one.
    """

    def __init__(
        self, store: Store, write_trouble: Callable[[], Exception | None], stand_in: StandIn | None = None
    ) -> None:
        self._store = store
        self._write_trouble = write_trouble
        self._stand_in = stand_in
        self._asked_at: float | None = None
        self._error: Exception | None = None

    def asking(self, question: Callable[[], Sequence[Answer]]) -> Sequence[Answer]:
        """Ask, and remember how that went."""
        self._asked_at = monotonic()
        try:
            answer = question()
        except Exception as error:
            self._error = error
            raise
        finally:
            self._asked_at = None
        self._error = None
        return answer

    @property
    def is_felt(self) -> bool:
        """Whether the store answers, as far as the last question told, and is one to work with. Waits for nothing."""
        return self._trouble() == "" and (self._stand_in is None or self._stand_in.state != FAILED)

    def health(self) -> PartHealth:
        """How the store is. Never raises StoreError."""
        trouble, unwritten = self._trouble(), self._write_trouble()
        figures: dict[str, Figure] = {
            "location": self._store.location,
            "bytes": self._bytes(),
            "writable": not trouble and unwritten is None,
        }
        if trouble:
            return PartHealth(PART, FAILED, trouble, _REMEDY, figures)
        if unwritten is not None:
            return PartHealth(PART, DEGRADED, f"it cannot be written: {_told(unwritten)}", _REMEDY, figures)
        if self._stand_in is not None:
            why, state = self._stand_in
            return PartHealth(PART, state, why, "put that right and start again", figures, is_told=True)
        moved = self._put_aside()
        if moved is not None:
            why = f"it was damaged and moved to {moved}; a new one is used"
            return PartHealth(PART, DEGRADED, why, _REMEDY_OF_DAMAGE, figures)
        if shortage := getattr(self._store, "shortage", ""):
            return PartHealth(PART, DEGRADED, shortage, "free some space on that disk", figures)
        return PartHealth(PART, OK, figures=figures)

    def _put_aside(self) -> Path | None:
        ask = getattr(self._store, "put_aside", None)
        return None if ask is None else ask()

    def _trouble(self) -> str:
        asked_at, error = self._asked_at, self._error
        if asked_at is not None and (silence := monotonic() - asked_at) > SILENCE:
            return f"it has not answered for {silence:.0f} s"
        return "" if error is None else f"it cannot be read: {_told(error)}"

    def _bytes(self) -> int | None:
        size = getattr(self._store, "size", None)
        try:
            return None if size is None else size()
        except Exception:  # noqa: BLE001 - a store of the user's own may raise anything; what matters is how it is
            return None


def _told(error: Exception) -> str:
    return one_line(cut(as_text(error), LONGEST_TEXT))


__all__ = ["Pulse", "StandIn", "stand_in_for"]
