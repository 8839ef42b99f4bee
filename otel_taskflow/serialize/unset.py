"""Which fields of a pydantic model were never set: JSON of all of them does not say, and ``exclude_unset=True`` goes by it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from pydantic import BaseModel

_DEPTH = 64
_SCALARS = frozenset({str, int, float, bool, bytes, type(None)})
_OWN = ""
"""Stands for the names of a model itself; no field is called so."""


def unset_in(value: Any, back: Any, depth: int = _DEPTH) -> dict[str, Any]:
    """What ``unset_again`` needs for ``back``, which came from the JSON of ``value``: names of fields, by the way to their model.

    Empty if no model has such fields. Members of sets and keys of mappings, which have no place, are not looked at.
    """
    if not depth or type(value) is not type(back):
        return {}
    found: dict[str, Any] = {}
    if isinstance(value, BaseModel) and (names := back.model_fields_set - value.model_fields_set):
        found[_OWN] = sorted(names)
    parts = _parts_of(value)
    if parts:
        parts_back = _parts_of(back)
        for step, part in parts.items():
            if type(part) not in _SCALARS and (inner := unset_in(part, parts_back.get(step), depth - 1)):
                found[str(step)] = inner
    return found


def unset_again(back: Any, unset: Mapping[str, Any]) -> None:
    """Make the fields of what came back from JSON unset that were. A way that leads nowhere by now is passed over."""
    if not unset:
        return
    if isinstance(back, BaseModel):
        back.model_fields_set.difference_update(unset.get(_OWN, ()))
    for step, part in _parts_of(back).items():
        if (inner := unset.get(str(step))) is not None:
            unset_again(part, inner)


def _parts_of(value: Any) -> Mapping[Any, Any]:
    if isinstance(value, BaseModel):
        return vars(value)
    if isinstance(value, dict):
        return dict(enumerate(value.values()))
    if isinstance(value, list | tuple | deque):
        return dict(enumerate(value))
    if is_dataclass(value):
        return {field.name: getattr(value, field.name, None) for field in fields(value)}
    return {}
