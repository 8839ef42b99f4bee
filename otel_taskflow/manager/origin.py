"""Which process a thing is of, told at a fork instead of asked for: a system call for each task that is added is too much."""

from __future__ import annotations

import os
from weakref import WeakSet


class Origin:
    """Of something that a forked child must leave alone."""

    __slots__ = ("__weakref__", "is_here")

    def __init__(self) -> None:
        self.is_here = True
        """False in a forked child: it is the parent's."""
        _here.add(self)


_here: WeakSet[Origin] = WeakSet()


def _disown_all() -> None:
    for origin in list(_here):
        origin.is_here = False
    _here.clear()


os.register_at_fork(after_in_child=_disown_all)
