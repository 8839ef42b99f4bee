"""Consumers share the interpreter lock with the app: what they compute, they compute in short stretches.

Whoever wants the lock while a consumer computes waits until it gives it away. So none of them works through a whole slice at
once; a rest lets the event loop have its turn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from time import sleep
from typing import TypeVar

T = TypeVar("T")

STRETCH = 25
"""Events that are worked on without a rest, about 0.1 ms."""
FOLDED = 50
"""As many events are folded in that time."""
REST = 0.0001
"""Seconds."""


def rest() -> None:
    """Let others have the interpreter lock."""
    sleep(REST)


def paced(items: Sequence[T], stretch: int = STRETCH) -> Iterator[T]:
    """The items, with a rest after each stretch."""
    for begin in range(0, len(items), stretch):
        if begin:
            sleep(REST)
        yield from items[begin : begin + stretch]
