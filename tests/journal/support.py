"""A journal to write into."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from otel_taskflow.journal.folder import new_journal_id
from otel_taskflow.journal.writer import JournalWriter
from otel_taskflow.ports import JournalHeader


def header(namespace: str = "default") -> JournalHeader:
    return JournalHeader(new_journal_id(namespace), time.time_ns(), os.getpid(), "host", "boot", "worker")


def make_writer(root: Path | None, namespace: str = "default", **options: Any) -> JournalWriter:
    return JournalWriter.create(root, header(namespace), **options)
