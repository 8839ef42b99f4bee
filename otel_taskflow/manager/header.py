"""What a runtime's journal says about the process that writes it."""

from __future__ import annotations

import os
import platform
import socket
import time
from pathlib import Path

from otel_taskflow.journal.folder import folder_id, new_journal_id
from otel_taskflow.manager.signals import Signals
from otel_taskflow.ports import JournalHeader
from otel_taskflow.version import __version__


def header_for(name: str, root: Path | None, signals: Signals) -> JournalHeader:
    """The header of a new journal. It tells the resource if somebody may have to finish this process's spans."""
    host, told = socket.gethostname(), signals.plan or signals.recovery
    return JournalHeader(
        journal_id=new_journal_id(name, None if root is None else folder_id(root)),
        created_at=time.time_ns(),
        pid=os.getpid(),
        host=host,
        boot_id=_boot_id(),
        worker=f"{host}:{os.getpid()}",
        namespace=name,
        resource={} if told is None else told.resource,
        resource_schema_url="" if told is None else told.resource_schema_url,
        release=__version__,
    )


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return platform.node()
