"""One buffer for each folder of a process. A forked child has none: it makes its own when it needs one."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from otel_taskflow.errors import ConfigurationError
from otel_taskflow.health import PartHealth

if TYPE_CHECKING:
    from otel_taskflow.export import Destination
    from otel_taskflow.setup.buffer import Buffer

CLOSING = 1.0
"""Seconds for a buffer that was made in vain to come up and end."""

_buffers: dict[Path, Buffer] = {}
_lock = threading.RLock()


def enter_buffer(folder: Path, user: object, destination: Destination) -> Buffer:
    """The buffer of this folder, for one more user. Raises JournalError, ConfigurationError."""
    # What most apps do without; the health of all looks here.
    from otel_taskflow.setup.buffer import Buffer

    root = folder.absolute()
    with _lock:
        buffer = _buffers.get(root)
        if buffer is None or not buffer.enter(user, destination):
            buffer = Buffer(root)
            try:
                buffer.enter(user, destination)
            except ConfigurationError:
                buffer.leave(user, destination.name, CLOSING)
                raise
            _buffers[root] = buffer
        return buffer


def only_one() -> AbstractContextManager[object]:
    """Held, it keeps other threads from making buffers."""
    return _lock


def buffer_health() -> Sequence[PartHealth]:
    """How the disk buffers of spans and logs are: journal, spool and destinations; empty if there are none."""
    return [part for buffer in open_buffers() for part in buffer.health()]


def open_buffers() -> tuple[Buffer, ...]:
    """The buffers of this process that are in use."""
    return tuple(each for each in list(_buffers.values()) if not each.is_closed)


def _forget_parent() -> None:
    global _lock  # noqa: PLW0603 - a lock cannot be made free again otherwise
    _lock = threading.RLock()
    _buffers.clear()


os.register_at_fork(after_in_child=_forget_parent)

__all__ = ["buffer_health", "enter_buffer", "only_one", "open_buffers"]
