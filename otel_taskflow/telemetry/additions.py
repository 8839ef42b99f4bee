"""What user code put on a span, as JSON keeps it, and the way back."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from typing import Any

from otel_taskflow.telemetry.guard import clean

_AS_THEY_ARE = frozenset({bool, int, float, type(None)})
_BYTES, _MAP = "bytes", "map"
"""The one key of an object that stands for such a value."""


def packed_attributes(values: Mapping[str, Any] | None) -> dict[str, Any]:
    """Attributes for a journal."""
    return {clean(str(key)): _packed(value) for key, value in (values or {}).items()}


def unpacked_attributes(values: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes that came from a journal."""
    return {key: _unpacked(value) if type(value) in (dict, list) else value for key, value in values.items()}


def _packed(value: Any) -> Any:
    """Texts that UTF-8 can hold, numbers, bytes, lists, maps; everything else as text."""
    if type(value) in _AS_THEY_ARE:
        return value
    if isinstance(value, bytes):
        return {_BYTES: b64encode(value).decode()}
    if isinstance(value, Mapping):
        return {_MAP: packed_attributes(value)}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_packed(each) for each in value]
    return clean(str(value))


def _unpacked(value: Any) -> Any:
    if isinstance(value, list):
        return [_unpacked(each) for each in value]
    if not isinstance(value, dict):
        return value
    return b64decode(value[_BYTES]) if _BYTES in value else unpacked_attributes(value[_MAP])


__all__ = ["packed_attributes", "unpacked_attributes"]
