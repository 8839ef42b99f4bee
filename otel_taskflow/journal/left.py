"""Marks of processes that ended in good order and left tasks. Their journals are gone; the marks prove that they are, too."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path

from otel_taskflow.journal.disk import PowerSafeDisk

FOLDER = "left"


def mark_left(root: Path, journal_id: str) -> None:
    """Keep that the process of this journal has ended, also over a power cut. Raises OSError."""
    folder = root / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    place_of_mark(root, journal_id).touch(0o600)
    for changed in (folder, root):
        PowerSafeDisk().sync_folder(changed)


def left_journals(root: Path) -> Set[str]:
    """Ids of the journals whose processes have ended and left tasks. Raises OSError."""
    try:
        return {mark.name for mark in (root / FOLDER).iterdir()}
    except FileNotFoundError:
        return frozenset()


def unmark_left(root: Path, journal_id: str) -> None:
    """Its tasks have another owner. Raises OSError."""
    place_of_mark(root, journal_id).unlink(missing_ok=True)


def place_of_mark(root: Path, journal_id: str) -> Path:
    """The file that says it. Nothing is in it."""
    return root / FOLDER / journal_id
