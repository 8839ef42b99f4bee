"""Stores that managers of this process use. One object may be given to several: the first opens it, the last closes it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from otel_taskflow.ports import Store, StoreWriter


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


def open_for_manager(store: Store, writer: StoreWriter) -> Callable[[], None]:
    """Open the writer of this store, unless another manager has; returns what ends the use. Raises what ``open`` does."""
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
