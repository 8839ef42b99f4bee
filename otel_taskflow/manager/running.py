"""The managers that run in this process, for the pytest plugin: a test with other surroundings needs them started anew."""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Stoppable(Protocol):
    """A manager."""

    def stop(self, grace: float | None = None) -> None:
        """End what runs."""

    def reopen(self) -> None:
        """Let it start again, if it is closed."""


_running: WeakSet[Stoppable] = WeakSet()
_closed: WeakSet[Stoppable] = WeakSet()

add = _running.add
"""It runs from now on."""

discard = _running.discard
"""It has stopped."""

add_closed = _closed.add
"""It does not start by itself any more: the lifespan of its app has ended."""


def stop_all() -> None:
    """Cut off and stop every manager; each, also a closed one, starts again at its next use, as the surroundings are then."""
    for manager in list(_running):
        manager.stop(grace=0.0)
    while _closed:
        _closed.pop().reopen()


os.register_at_fork(after_in_child=_running.clear)
