"""The journals of the folder: whose process lives, and what those that are dead have left. No lock is taken."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from otel_taskflow.cli.diagnosis.access import is_there
from otel_taskflow.cli.diagnosis.findings import NOTE, OK, PROBLEM, Finding, age, size
from otel_taskflow.engine.relay import RELAYED_NAME
from otel_taskflow.errors import JournalError, StoreError
from otel_taskflow.journal.folder import DEAD_NAME, employer_of, is_neighbour
from otel_taskflow.journal.lock import LOCK_NAME, is_held
from otel_taskflow.journal.mark import read_end, read_mark
from otel_taskflow.journal.reader import DeadReader
from otel_taskflow.stores.sqlite.inspecting import inspect

PATIENCE = 60.0
"""Seconds in which a living neighbour should have begun to take over a dead journal."""


class Journal(NamedTuple):
    """One journal, as it looks from outside."""

    folder: Path
    is_alive: bool
    is_taken_over: bool
    events: int
    bytes: int
    idle: float
    """Seconds since anything was made or written in its folder."""

    @property
    def name(self) -> str:
        """The id that others know it by."""
        return self.folder.name


def check(root: Path, store_file: Path | None) -> Iterator[Finding]:
    """Each of them."""
    journals = [each for folder in _folders(root) if (each := _look(folder)) is not None]
    if not journals:
        yield Finding(OK, "none: no process runs here, and the last ones have left nothing")
        return
    stored = {**_stored(store_file, [each.name for each in journals]), **_brought(journals)}
    for each in journals:
        yield from _tell(each, journals, stored.get(each.name))


def living(root: Path) -> int:
    """How many processes have a journal here."""
    return sum(each.is_alive for folder in _folders(root) if (each := _look(folder)) is not None)


def _folders(root: Path) -> Sequence[Path]:
    parent = root / "journal"
    if not is_there(parent) or not parent.is_dir():
        return []
    return sorted(each for each in parent.iterdir() if not each.name.startswith("."))


def _look(folder: Path) -> Journal | None:
    """None for one that is removed at this moment."""
    try:
        is_taken_over = (folder / DEAD_NAME).exists()
        is_alive = is_held(folder / LOCK_NAME) and not is_taken_over
        size_ = sum(path.stat().st_size for path in folder.glob("*.seg"))
        changed = max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
        return Journal(folder, is_alive, is_taken_over, read_end(folder), size_, time.time() - changed)
    except OSError:
        return None


def _tell(journal: Journal, all_: Sequence[Journal], stored: int | None) -> Iterator[Finding]:
    about = f"{journal.name}: {_process(journal.folder)}{journal.events} events, {size(journal.bytes)}"
    behind = "" if stored is None else f", {max(0, journal.events - stored)} not in the store yet"
    if journal.is_alive:
        yield Finding(OK, f"{about}{behind}; its process lives")
    elif journal.is_taken_over:
        yield Finding(NOTE, f"{about}{behind}; its process is dead and it is, or was, being taken over")
    elif any(each.is_alive and is_neighbour(each.name, journal.name) for each in all_) and journal.idle > PATIENCE:
        remedy = "see the log of the process that lives: it says why it does not take this over"
        yield Finding(
            PROBLEM, f"{about}{behind}; its process is dead since {age(journal.idle)} and nobody takes it over", remedy
        )
    else:
        yield Finding(NOTE, f"{about}{behind}; its process is dead", "the next start, or a neighbour, takes it over")
    yield from _format(journal.folder)


def _process(folder: Path) -> str:
    try:
        header = DeadReader(folder).header
    except (JournalError, OSError, ValueError):
        return ""
    kind = "process" if employer_of(folder.name) is None else "worker process"
    return "" if header is None else f"{kind} {header.pid} on {header.host}, release {header.release}, "


def _format(folder: Path) -> Iterator[Finding]:
    try:
        DeadReader(folder)
    except JournalError as error:
        yield Finding(PROBLEM, str(error))
    except (OSError, ValueError):
        return


def _brought(journals: Sequence[Journal]) -> Mapping[str, int]:
    """What the process that a worker works for has of the worker's, and so the store."""
    workers = [each for each in journals if employer_of(each.name) is not None]
    return {each.name: read_mark(each.folder / RELAYED_NAME) for each in workers}


def _stored(store_file: Path | None, names: Sequence[str]) -> Mapping[str, int]:
    """What the store has of each journal of tasks."""
    if store_file is None:
        return {}
    tasks = [each for each in names if not each.startswith("otel_taskflow%2Esdk")]
    try:
        return inspect(store_file, tasks).offsets if is_there(store_file) else {}
    except (StoreError, OSError):  # The check of the store tells it.
        return {}
