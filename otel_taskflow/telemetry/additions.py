"""What user code put on a span, as JSON keeps it, and the way back."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic_core import to_json

from otel_taskflow.telemetry.guard import clean

_AS_THEY_ARE = frozenset({bool, int, float, type(None)})
_BYTES, _MAP = "bytes", "map"
"""The one key of an object that stands for such a value."""
DEEPEST = 8
"""Levels of lists and maps within each other; what is below becomes text."""
MOST_BYTES = 4 * 1024 * 1024
"""Of JSON, on one span: an event of the journal has room for four times as much."""
MOST_CHARACTERS = 64 * 1024
"""Of a name or a description."""
_LATEST = 2**64 - 1
"""The highest time of OTLP."""

T = TypeVar("T")


class Room:
    """Bytes that are left for what user code put on a span."""

    def __init__(self, left: int = MOST_BYTES) -> None:
        self._left = left

    def fitting(self, values: Iterable[T]) -> list[T]:
        """Those that there is room for, in order. One that JSON cannot hold is left out too."""
        return [value for value in values if self._takes(value)]

    def _takes(self, value: Any) -> bool:
        try:
            size = len(to_json(value, inf_nan_mode="constants"))
        except (ValueError, RecursionError):
            return False
        if size > self._left:
            return False
        self._left -= size
        return True


def packed_text(text: Any) -> str:
    """A name or a description for a journal."""
    return clean(str(text)[:MOST_CHARACTERS])


def packed_time(time: Any) -> int | None:
    """Unix nanoseconds that OTLP can hold; None if it is no number."""
    try:
        return min(max(0, int(time)), _LATEST)
    except (TypeError, ValueError, OverflowError):
        return None


def packed_attributes(values: Mapping[str, Any] | None) -> dict[str, Any]:
    """Attributes for a journal."""
    return _packed_map(values or {}, DEEPEST)


def unpacked_attributes(values: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes that came from a journal."""
    return {key: _unpacked(value) if type(value) in (dict, list) else value for key, value in values.items()}


def _packed_map(values: Mapping[Any, Any], levels: int) -> dict[str, Any]:
    return {clean(str(key)): _packed(value, levels) for key, value in values.items()}


def _packed(value: Any, levels: int) -> Any:
    """Texts that UTF-8 can hold, numbers, bytes, lists, maps; everything else as text."""
    if type(value) in _AS_THEY_ARE:
        return value
    if isinstance(value, bytes):
        return {_BYTES: b64encode(value).decode()}
    if levels and isinstance(value, Mapping):
        return {_MAP: _packed_map(value, levels - 1)}
    if levels and isinstance(value, Sequence) and not isinstance(value, str):
        return [_packed(each, levels - 1) for each in value]
    return _as_text(value)


def _as_text(value: Any) -> str:
    try:
        return clean(str(value))
    except RecursionError:
        return f"a {type(value).__name__} that is nested too deep"


def _unpacked(value: Any) -> Any:
    if isinstance(value, list):
        return [_unpacked(each) for each in value]
    if not isinstance(value, dict):
        return value
    return b64decode(value[_BYTES]) if _BYTES in value else unpacked_attributes(value[_MAP])


__all__ = [
    "DEEPEST",
    "MOST_BYTES",
    "MOST_CHARACTERS",
    "Room",
    "packed_attributes",
    "packed_text",
    "packed_time",
    "unpacked_attributes",
]
