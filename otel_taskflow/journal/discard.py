"""Removing a journal in one step."""

from __future__ import annotations

import shutil
from pathlib import Path

DISCARDED = ".gone-"


def discard(folder: Path) -> None:
    """Delete a journal's folder. It is renamed first, so that nobody ever finds half of it and takes that for a journal."""
    gone = folder.with_name(DISCARDED + folder.name)
    try:
        folder.rename(gone)
    except OSError:
        gone = folder
    shutil.rmtree(gone, ignore_errors=True)
