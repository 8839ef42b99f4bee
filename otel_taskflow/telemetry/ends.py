"""Of a long sequence its beginning and its end: where a story starts and how it ends say more than its middle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def first_and_last(items: Sequence[T], room: int | None) -> Sequence[T]:
    """The first and the last items, ``room`` of them at most; all of them without a limit."""
    if room is None or len(items) <= room:
        return items
    last = room // 2
    return [*items[: room - last], *(items[-last:] if last else ())]
