"""Stores that managers of this process use. One object may be given to several: the first opens it, the last closes it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

from otel_taskflow.errors import StoreError
from otel_taskflow.journal.folder import network_trouble
from otel_taskflow.manager.quiet_store import quieted
from otel_taskflow.manager.settings import Settings
from otel_taskflow.ports import Store, StoreWriter
from otel_taskflow.stores.opening import open_store
from otel_taskflow.stores.sqlite.store import SqliteStore


class _Opened:
    """A store and how many managers use it."""

    def __init__(self, store: Store) -> None:
        self.store = store  # kept, so that no other object gets its id
        self.managers = 0
        self.is_open = False
        self.lock = threading.Lock()
        """Held while it is opened or closed: that may take long, and is of no concern to managers of other stores."""


_opened: dict[int, _Opened] = {}
_lock = threading.Lock()


def is_kept(store: object) -> bool:
    """Whether what the setting means outlives the process."""
    return store != "memory" and bool(getattr(store, "is_persistent", True))


def open_for_manager(settings: Settings, root: Path | None) -> tuple[Store, Callable[[], None]]:
    """The store that the settings mean, open, and what ends its use. Raises StoreError, what the ``open`` of a user's own does."""
    found = open_store(settings.store, root, syncs_commits=settings.durability == "power")
    store = quieted(found)
    if isinstance(store, SqliteStore):
        _refuse_network(store.location)
    return store, use_writer(found, store.writer)


def _refuse_network(location: str) -> None:
    """A store's file may lie in another folder than the journal."""
    trouble = network_trouble(Path(location))
    if trouble is not None:
        raise StoreError(f"the store {location} {trouble}; choose a local file with store= or OTEL_TASKFLOW_STORE")


def use_writer(store: Store, writer: StoreWriter) -> Callable[[], None]:
    """Open the writer, unless another manager has; returns what ends the use."""
    with _lock:
        opened = _opened.setdefault(id(store), _Opened(store))
        opened.managers += 1
    try:
        with opened.lock:
            if not opened.is_open:
                writer.open()
                opened.is_open = True
    except BaseException:
        _leave(opened, writer)
        raise
    return lambda: _leave(opened, writer)


def _leave(opened: _Opened, writer: StoreWriter) -> None:
    with opened.lock:
        with _lock:
            opened.managers -= 1
            is_last = not opened.managers
        if is_last and opened.is_open:
            opened.is_open = False
            writer.close()
        with _lock:
            if not opened.managers:  # nobody has come meanwhile
                _opened.pop(id(opened.store), None)


def _forget_parent() -> None:
    """The managers of a forked child start anew."""
    global _lock  # noqa: PLW0603 - a lock cannot be made free again otherwise
    _lock = threading.Lock()
    _opened.clear()


os.register_at_fork(after_in_child=_forget_parent)
