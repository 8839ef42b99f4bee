"""The same again and again, a few at a time: for tests whose time goes to programs that start, are killed and are waited for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

AT_A_TIME = 3
T = TypeVar("T")
R = TypeVar("R")


def beside(do: Callable[[T], R], values: Iterable[T]) -> list[R]:
    """What ``do`` returns for each value, in their order. The first error is raised once what has begun has ended."""
    pool = ThreadPoolExecutor(AT_A_TIME)
    try:
        return list(pool.map(do, values))
    finally:
        pool.shutdown(cancel_futures=True)
