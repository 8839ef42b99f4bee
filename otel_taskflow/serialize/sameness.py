"""Whether what came back from JSON is what was passed: equal, and of the same kind in every part."""

from __future__ import annotations

import math
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime, time, timezone
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel
from pydantic_core import TzInfo

_DEPTH = 64
_FIXED_OFFSETS = (timezone, TzInfo)


def is_same(one: Any, other: Any, depth: int = _DEPTH) -> bool:
    """Whether both are equal and of the same types, down to the parts of containers, models and dataclasses.

    Models are the same with the same fields set, for ``exclude_unset=True`` goes by them. NaN equals NaN.
    A time is the same with the same offset from UTC, unless a zone has given it: only the offset is kept.
    """
    kind = type(one)
    if kind is not type(other):
        return False
    by_parts = _of_builtin.get(kind) if depth else None
    if by_parts is not None:
        return by_parts(one, other, depth - 1)
    return bool(one == other) and (not depth or _has_same_parts(one, other, depth - 1))


def _has_same_parts(one: Any, other: Any, depth: int) -> bool:
    """For what is equal by its own opinion, which may count 1 and 1.0 as one and looks at neither zones nor what was set."""
    if isinstance(one, tuple):
        return _is_same_sequence(one, other, depth)
    if isinstance(one, dict):
        return _is_same_mapping(one, other, depth)
    if isinstance(one, BaseModel) and one.model_fields_set != other.model_fields_set:
        return False
    return all(is_same(getattr(one, name), getattr(other, name), depth) for name in _names_of_parts(one))


def _names_of_parts(value: Any) -> tuple[str, ...]:
    if isinstance(value, BaseModel):
        return (*type(value).model_fields, "model_extra")
    if is_dataclass(value):
        return tuple(field.name for field in fields(value) if field.compare)
    return ()


def _is_equal(one: object, other: object, _: int) -> bool:
    return one == other


def _is_same_float(one: float, other: float, _: int) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


def _is_same_time(one: Any, other: Any, _: int) -> bool:
    return bool(one == other) and one.fold == other.fold and _is_same_zone(one, other)


def _is_same_zone(one: datetime | time, other: datetime | time) -> bool:
    zones = (one.tzinfo, other.tzinfo)
    if zones == (None, None):
        return True
    return all(map(_has_fixed_offset, zones)) and one.utcoffset() == other.utcoffset()


def _has_fixed_offset(zone: object) -> bool:
    return type(zone) in _FIXED_OFFSETS or (type(zone) is ZoneInfo and zone.key == "UTC")


def _is_same_sequence(one: Collection[Any], other: Collection[Any], depth: int) -> bool:
    return len(one) == len(other) and all(is_same(a, b, depth) for a, b in zip(one, other, strict=True))


def _is_same_deque(one: deque[Any], other: deque[Any], depth: int) -> bool:
    return one.maxlen == other.maxlen and _is_same_sequence(one, other, depth)


def _is_same_set(one: Collection[Any], other: Collection[Any], depth: int) -> bool:
    if one != other:
        return False
    own = {item: item for item in one}
    return all(is_same(own[item], item, depth) for item in other)


def _is_same_mapping(one: Mapping[Any, Any], other: Mapping[Any, Any], depth: int) -> bool:
    return _is_same_set(one.keys(), other.keys(), depth) and all(is_same(one[key], other[key], depth) for key in other)


def _is_same_defaultdict(one: defaultdict[Any, Any], other: defaultdict[Any, Any], depth: int) -> bool:
    return one.default_factory is other.default_factory and _is_same_mapping(one, other, depth)


_of_builtin: dict[type, Callable[[Any, Any, int], bool]] = {
    **dict.fromkeys((str, int, bool, bytes, type(None)), _is_equal),
    float: _is_same_float,
    datetime: _is_same_time,
    time: _is_same_time,
    list: _is_same_sequence,
    tuple: _is_same_sequence,
    deque: _is_same_deque,
    set: _is_same_set,
    frozenset: _is_same_set,
    dict: _is_same_mapping,
    OrderedDict: _is_same_mapping,
    defaultdict: _is_same_defaultdict,
}
