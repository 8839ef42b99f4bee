"""Values as hostile as hypothesis can make them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import timezone
from decimal import Decimal
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any

from hypothesis import strategies as st

TEXTS = st.text(st.characters(), max_size=40) | st.text(
    st.characters(categories=["Cs", "Cc", "Cf", "Ll", "So"]), max_size=40
)
"""Texts with lone surrogates, control and format characters."""

HINTS = st.sampled_from(
    ["://", "u:p@", "Bearer ", "eyJ", ".", "-----BEGIN ", "PRIVATE KEY-----", "4111 1111 1111 1111", "4242424242424242"]
)
SUSPICIOUS = st.lists(TEXTS | HINTS, max_size=8).map("".join)
"""Texts made of parts of secrets."""


class Quit(BaseException):
    """Like SystemExit, which pytest would obey."""


class Broken:
    """Raises whatever is asked of it."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __repr__(self) -> str:
        raise self.error

    __str__ = __repr__

    def __len__(self) -> int:
        raise self.error

    def __eq__(self, other: object) -> bool:
        raise self.error

    def __hash__(self) -> int:
        return 1

    def __bool__(self) -> bool:
        raise self.error


class Liar:
    """Raises when asked for its class."""

    @property
    def __class__(self) -> Any:
        raise RuntimeError("no class")


class Huge:
    """Has a long repr."""

    def __repr__(self) -> str:
        return "\ud800" * 5_000


class BadDict(dict[Any, Any]):
    """A dict that does not let itself be read by its own methods."""

    def items(self) -> Any:
        raise RuntimeError

    __iter__ = __len__ = items  # type: ignore[assignment]


class BadList(list[Any]):
    """A list that does not let itself be read by its own methods."""

    def __iter__(self) -> Any:
        raise RuntimeError

    __len__ = __iter__


def _cyclic() -> list[Any]:
    cycle: list[Any] = [1]
    cycle.append({"again": cycle})
    return cycle


def _deep() -> Any:
    value: Any = "bottom"
    for _ in range(2000):
        value = [value]
    return value


def _unawaited() -> Any:
    return (item for item in [1])


def _broken(error: BaseException) -> Callable[[], Broken]:
    return lambda: Broken(error)


# Made when drawn: hypothesis itself cannot show some of them.
ODD = st.integers(0, 21).map(
    lambda number: [
        _broken(ValueError("no")),
        _broken(Quit()),
        _broken(RecursionError()),
        Liar,
        Huge,
        _cyclic,
        _deep,
        object,
        lambda: int,
        lambda: 10**5000,
        lambda: float("nan"),
        lambda: float("-inf"),
        lambda: ValueError("\ud800"),
        lambda: range(3),
        lambda: MappingProxyType({"password": "x"}),
        lambda: deque([1, 2]),
        lambda: memoryview(b"123"),
        lambda: bytearray(5000),
        lambda: PurePosixPath("/a"),
        lambda: Decimal("NaN"),
        lambda: BadDict(a=1),
        lambda: BadList([1]),
    ][number]()
) | st.builds(_unawaited)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | TEXTS
    | SUSPICIOUS
    | st.binary(max_size=30)
    | st.decimals()
    | st.uuids()
    | st.dates()
    | st.datetimes(timezones=st.sampled_from([None, timezone.utc]))
    | st.timedeltas()
    | st.complex_numbers()
)
KEYS = TEXTS | st.sampled_from(["password", "apiKey", "author", "a"])
HASHABLE = st.none() | st.booleans() | st.integers() | TEXTS | st.binary(max_size=3)
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    SCALARS | ODD,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(KEYS | HASHABLE, inner, max_size=5) | st.tuples(inner),
    max_leaves=12,
)
EXTRAS = st.dictionaries(KEYS, ANYTHING, max_size=6)
