"""A journal to write into."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path
from typing import Any

from otel_taskflow.journal.disk import Disk
from otel_taskflow.journal.folder import new_journal_id
from otel_taskflow.journal.segment import Segment
from otel_taskflow.journal.writer import JournalWriter
from otel_taskflow.ports import JournalHeader


def header(namespace: str = "default") -> JournalHeader:
    return JournalHeader(new_journal_id(namespace), time.time_ns(), os.getpid(), "host", "boot", "worker")


def make_writer(root: Path | None, namespace: str = "default", **options: Any) -> JournalWriter:
    return JournalWriter.create(root, header(namespace), **options)


class FullDisk(Disk):
    """No room for further files, while it is full."""

    is_full = False

    def create_segment(self, path: Path | None, needed: int = 0) -> Segment:
        if self.is_full and path is not None:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().create_segment(path, needed)
