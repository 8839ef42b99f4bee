"""What this process knows of the spool without asking it: how it is, and what it last held."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from otel_taskflow.errors import SpoolError, SpoolReplacedError
from otel_taskflow.health import DEGRADED, FAILED, OK, Figure, PartHealth
from otel_taskflow.spool.ledger import Ledger, Lost, Queue
from otel_taskflow.sqlite.aside import asides
from otel_taskflow.sqlite.naming import Label

PART = "spool"


class Known(NamedTuple):
    """What a file says about itself. None: nobody knows."""

    made_at: int | None = None
    queues: Sequence[Queue] | None = None
    dropped: Lost | None = None


class State:
    """Of one spool in this process."""

    def __init__(self, label: Label, path: Path | None) -> None:
        self._label, self._path = label, path
        self._asides_before = set(self._asides())
        self._error: SpoolError | None = None
        self.known = Known()
        """What the last transaction of this process saw, for the case that the file cannot be read any more."""

    def saw(self, ledger: Ledger) -> None:
        """After a transaction."""
        self.known = self.known._replace(made_at=ledger.made_at, queues=ledger.queues())

    def saw_dropped(self, dropped: Lost) -> None:
        """After a look at the counters."""
        self.known = self.known._replace(dropped=dropped)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Remember whether it went well."""
        try:
            yield
        except SpoolReplacedError:
            raise
        except SpoolError as error:
            self._error = error
            raise
        self._error = None

    def health(self, figures: Callable[[], Mapping[str, Figure]]) -> PartHealth:
        """How it is. Never raises SpoolError."""
        try:
            found = figures()
        except SpoolError as error:
            return PartHealth(PART, FAILED, *self._told(error))
        if self._error is not None:
            return PartHealth(PART, DEGRADED, *self._told(self._error), found)
        moved = [path for path in self._asides() if path not in self._asides_before]
        if moved:
            why = f"{self._label} was damaged and moved to {moved[-1]}"
            remedy = (
                "check that disk; what the file held is counted as spool_corrupt; delete the file when you have seen it"
            )
            return PartHealth(PART, DEGRADED, why, remedy, found)
        return PartHealth(PART, OK, figures=found)

    def _asides(self) -> Sequence[Path]:
        try:
            return asides(self._path) if self._path is not None else []
        except OSError:
            return []

    def _told(self, error: SpoolError) -> tuple[str, str]:
        """Why, and the remedy."""
        cause = error.__cause__
        return (f"{self._label}: {cause}", self._label.remedy(cause)) if cause else (str(error), "")
