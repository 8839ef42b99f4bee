"""Where the files of a journal are made: the seam between its writer and the disk."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from otel_taskflow.journal.segment import Segment, create_segment


class Disk:
    """Files that are safe against the death of their process. That needs no sync."""

    def create_segment(self, path: Path | None, needed: int = 0) -> Segment:
        """See ``segment.create_segment``. Raises OSError."""
        return create_segment(path, needed)

    def sync_folder(self, folder: Path) -> None:
        """Nothing: what was made or renamed in the folder is there for every process."""


class PowerSafeDisk(Disk):
    """Files that are found again after a power cut. What is in them is safe when the segment was synced."""

    def create_segment(self, path: Path | None, needed: int = 0) -> Segment:
        """As above, and its name is safe. Raises OSError."""
        segment = super().create_segment(path, needed)
        if path is not None:
            self.sync_folder(path.parent)
        return segment

    def sync_folder(self, folder: Path) -> None:
        """Make the names in a folder safe. One that may be entered but not read is left to the system."""
        with suppress(PermissionError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
