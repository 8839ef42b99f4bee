"""Extras as OTLP attributes."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from otel_taskflow.values.text import as_repr, as_text, unused_key, well_formed

AttributeValue = str | bool | int | float | Sequence[str] | Sequence[bool] | Sequence[int] | Sequence[float]
"""As in ``opentelemetry.util.types``."""

_DEPTH = 3
_NO_NAME = "_"
_MAP_KEYS = 32
_MIN, _MAX = -(2**63), 2**63 - 1
_FLOATS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_PLAIN = frozenset({str, bool, int, float})


def flatten(
    extra: Mapping[str, Any], *, max_attributes: int = 96, max_bytes: int = 49152
) -> tuple[dict[str, AttributeValue], int]:
    """The extras as attributes, and how many were dropped because they did not fit. Never raises.

    Texts, booleans, integers of 64 bits, floats and lists of one of these stay as they are; the texts ``NaN``,
    ``Infinity`` and ``-Infinity`` become floats again. None drops the key. Maps are flattened (``order.id``) down to
    depth 3, with up to 32 keys; other values become a JSON text.
    """
    try:
        if _is_flat(extra, max_attributes, max_bytes):
            return dict(extra), 0
        return _fitting(_leaves("", extra, 0), max_attributes, max_bytes)
    except Exception:  # noqa: BLE001 - a mapping that was not sanitised may raise anything; an export must go on
        return {}, 1


def _is_flat(extra: Mapping[str, Any], max_attributes: int, max_bytes: int) -> bool:
    """Whether the extras are attributes as they are, and fit: so most are, and then there is nothing to do."""
    if type(extra) is not dict or len(extra) > max_attributes:
        return False
    size = 0
    for key, value in extra.items():
        if type(key) is not str or not key or not key.isascii():
            return False
        kind = type(value)
        if kind is str:
            if not value.isascii() or value in _FLOATS:
                return False
            size += len(value)
        elif kind is int:
            if not _MIN <= value <= _MAX:
                return False
        elif kind is not float and kind is not bool:
            return False
        size += len(key) + 8
    return size <= max_bytes


def _fitting(
    leaves: Iterator[tuple[str, AttributeValue]], max_attributes: int, max_bytes: int
) -> tuple[dict[str, AttributeValue], int]:
    kept: dict[str, AttributeValue] = {}
    dropped = 0
    left = max_bytes
    for given, value in leaves:
        key = given or _NO_NAME
        size = len(key.encode()) + _size(value)
        if size > left or len(kept) >= max_attributes:
            dropped += 1
        else:
            kept[unused_key(key, kept)] = value
            left -= size
    return kept, dropped


def _leaves(prefix: str, values: Mapping[Any, Any], depth: int) -> Iterator[tuple[str, AttributeValue]]:
    for key, value in values.items():
        name = prefix + well_formed(key if type(key) is str else as_text(key))
        if isinstance(value, Mapping) and 0 < len(value) <= _MAP_KEYS and depth < _DEPTH:
            yield from _leaves(f"{name}.", value, depth + 1)
        elif value is not None:
            yield name, _attribute(value)


def _attribute(value: Any) -> AttributeValue:
    kind = type(value)
    if kind is str:
        number = _FLOATS.get(value)
        return well_formed(value) if number is None else number
    if kind is bool or kind is float:
        return value  # type: ignore[no-any-return] # of the type just asked for
    if kind is int:
        return value if _MIN <= value <= _MAX else as_text(value)
    items = _homogeneous(value) if kind in (list, tuple) else None
    return _json(value) if items is None else items


def _homogeneous(values: Sequence[Any]) -> AttributeValue | None:
    """The list as OTLP has lists, of one type; None if it is not of one."""
    kinds = {type(item) for item in values}
    if kinds == {float, str}:
        values = [_FLOATS.get(item, item) if type(item) is str else item for item in values]
        kinds = {type(item) for item in values}
    if len(kinds) > 1 or not kinds <= _PLAIN or (kinds == {int} and not all(_MIN <= item <= _MAX for item in values)):
        return None
    return [well_formed(item) for item in values] if kinds == {str} else list(values)


def _json(value: Any) -> str:
    try:
        return well_formed(json.dumps(value, ensure_ascii=False, default=as_repr, separators=(",", ":")))
    except (TypeError, ValueError, RecursionError):
        return as_repr(value)


def _size(value: Any) -> int:
    if type(value) is str:
        return len(value) if value.isascii() else len(value.encode())
    return sum(map(_size, value)) if type(value) is list else 8
