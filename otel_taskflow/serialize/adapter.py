"""One parameter's annotation: its values to JSON and back, by pydantic."""

from __future__ import annotations

import inspect
import math
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import suppress
from datetime import datetime, time
from types import MappingProxyType, UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin

from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, from_json, to_json

from otel_taskflow.serialize.annotations import with_ints
from otel_taskflow.serialize.sameness import is_same
from otel_taskflow.serialize.signature import UNKNOWN
from otel_taskflow.serialize.unset import unset_again, unset_in

_CONFIG = ConfigDict(ser_json_inf_nan="strings", ser_json_bytes="base64", val_json_bytes="base64")
_SCALARS = frozenset({str, int, float, bool, type(None)})
_FREE = (UNKNOWN, Any, object)
_DEPTH = 64
# What an int of at most 4,300 digits fits in: none with more can be read from JSON.
_MOST_BITS = 14_284
# Names of fields serve both ways, whatever the aliases; before pydantic 2.11 only aliases can.
_BY_NAME = "by_name" in inspect.signature(TypeAdapter.validate_json).parameters
_ACCEPTED: dict[str, Any] = {"by_alias": True, "by_name": True} if _BY_NAME else {}
_PLAIN_DATA = "pass plain data, such as an id, and open it in the task"


class CannotKeepError(Exception):
    """Why a value cannot be kept, and the remedy."""


class Dumped(NamedTuple):
    """A value as JSON, with what JSON does not say of it."""

    text: bytes
    unset: Mapping[str, Any] = MappingProxyType({})
    """Which fields of its models were never set; see ``unset_in``."""


class ValueCodec:
    """Keeps and brings back the values of one parameter. May be used from any thread."""

    def __init__(self, annotation: Any) -> None:
        self._annotation = annotation
        self._is_free = any(annotation is free for free in _FREE)
        self._plain = _SCALARS if self._is_free else _scalars_of(with_ints(annotation))
        self._adapter: TypeAdapter[Any] | None = None
        self._refusal: str | None = None
        self._lock = threading.Lock()

    def is_plain(self, value: Any) -> bool:
        """Whether JSON has this value as it is, and the annotation gives back the same."""
        kind = type(value)
        if kind is int:
            return int in self._plain and value.bit_length() <= _MOST_BITS
        return kind in self._plain and (kind is not float or math.isfinite(value))

    def dump(self, value: Any) -> Dumped:
        """The value as JSON. Raises CannotKeepError when it would not come back as it is."""
        if not (self._is_free or self.is_plain(value)):
            return self._dump_typed(value)
        _check_native(value)
        try:
            return Dumped(to_json(value))
        except Exception as error:
            raise CannotKeepError(f"it cannot be written as JSON ({reason(error)}); {_PLAIN_DATA}") from error

    def load(self, dumped: Dumped) -> Any:
        """The value again. Raises ValueError or CannotKeepError."""
        return from_json(dumped.text) if self._is_free else _read(self._typed(), dumped)

    def _dump_typed(self, value: Any) -> Dumped:
        adapter = self._typed()
        if _has_iterator(value, _DEPTH):
            raise CannotKeepError("keeping an iterator would use it up; pass a list")
        try:
            return _round_trip(adapter, value)
        except Exception as error:
            raise CannotKeepError(
                f"by its annotation {_shown(self._annotation)} it does not go to JSON and back ({reason(error)}); "
                f"annotate it with the type that is passed, or {_PLAIN_DATA}"
            ) from error

    def _typed(self) -> TypeAdapter[Any]:
        """The adapter, made at the first value that needs it."""
        with self._lock:
            if self._adapter is None and self._refusal is None:
                try:
                    self._adapter = _adapter_for(self._annotation)
                except Exception as error:  # noqa: BLE001 - an annotation may be anything; its parameter cannot be kept then
                    self._refusal = (
                        f"pydantic knows no JSON for {_shown(self._annotation)}{_hint(error)}; {_PLAIN_DATA}"
                    )
        if self._adapter is None:
            raise CannotKeepError(self._refusal)
        return self._adapter


def _round_trip(adapter: TypeAdapter[Any], value: Any) -> Dumped:
    """The value as a JSON text that was read back and compared. Raises whatever the type's own code raises."""
    text = adapter.dump_json(value, by_alias=not _BY_NAME, round_trip=True, warnings="error")
    back = adapter.validate_json(text, **_ACCEPTED)
    unset = unset_in(value, back)
    unset_again(back, unset)
    if not is_same(back, value):
        raise CannotKeepError(f"it would come back as another value{_part_lost(value)}")
    return Dumped(text, unset)


def _read(adapter: TypeAdapter[Any], dumped: Dumped) -> Any:
    value = adapter.validate_json(dumped.text, **_ACCEPTED)
    unset_again(value, dumped.unset)
    return value


def _part_lost(value: Any) -> str:
    """What goes with JSON of the value that is met most."""
    zone = value.tzinfo if isinstance(value, (datetime, time)) else None
    return (
        ": of its time zone only the offset is kept, so pass it in UTC, as astimezone(timezone.utc) gives it"
        if zone is not None
        else ""
    )


def _scalars_of(annotation: Any) -> frozenset[type]:
    """The types of which the annotation takes every value: itself, or those of a union, as in ``int | None``."""
    kinds = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    are_scalars = all(any(kind is scalar for scalar in _SCALARS) for kind in kinds)
    return frozenset(kinds) if are_scalars else frozenset()


def _adapter_for(annotation: Any) -> TypeAdapter[Any]:
    widened = with_ints(annotation)
    if widened is not annotation:
        with suppress(Exception):  # a constraint that holds for a float only
            return _adapter_of(widened)
    return _adapter_of(annotation)


def _adapter_of(annotation: Any) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(annotation, config=_CONFIG)
    except Exception:  # noqa: BLE001 - models and dataclasses bring their own configuration and refuse another
        return TypeAdapter(annotation)


def _check_native(value: Any, depth: int = _DEPTH) -> None:
    """Raise CannotKeepError unless JSON has every part of the value as it is."""
    kind = type(value)
    if not depth:
        raise CannotKeepError("it is nested too deep, or contains itself; pass flat data")
    if kind is list:
        for item in value:
            _check_native(item, depth - 1)
    elif kind is dict and all(type(key) is str for key in value):
        for item in value.values():
            _check_native(item, depth - 1)
    elif kind is float and not math.isfinite(value):
        raise CannotKeepError(f"{value} has no JSON; annotate the parameter with float")
    elif kind is int and value.bit_length() > _MOST_BITS:
        raise CannotKeepError(f"an int of more than 4300 digits is not read from JSON; {_PLAIN_DATA}")
    elif kind not in _SCALARS:
        raise CannotKeepError(f"{_shown(kind)} is not JSON; annotate the parameter with its type, or {_PLAIN_DATA}")


def _has_iterator(value: Any, depth: int) -> bool:
    """Whether something in there would be used up by looking at it."""
    if isinstance(value, (Iterator, AsyncIterator)):
        return True
    if not depth or type(value) in _SCALARS:
        return False
    if isinstance(value, (list, tuple, set, frozenset)):
        return any(_has_iterator(item, depth - 1) for item in value)
    parts = value if isinstance(value, dict) else getattr(value, "__dict__", None)
    return type(parts) is dict and any(_has_iterator(item, depth - 1) for item in parts.values())


def _shown(annotation: Any) -> str:
    name = getattr(annotation, "__qualname__", None)
    return name if isinstance(annotation, type) and isinstance(name, str) else repr(annotation)[:200]


def reason(error: Exception) -> str:
    """What went wrong, in one line, without the value: it may be a secret."""
    if isinstance(error, ValidationError):
        found = error.errors(include_url=False, include_context=False, include_input=False)
        return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}".removeprefix(": ") for each in found[:3])
    if isinstance(error, PydanticSerializationError):
        return _serialization_reason(str(error))
    return str(error) if isinstance(error, CannotKeepError) else type(error).__name__


def _hint(error: Exception) -> str:
    """What pydantic says about a type that it could take otherwise; for all others it advises not to check them."""
    return f" ({str(error).splitlines()[0]})" if type(error) is PydanticUserError else ""


def _serialization_reason(text: str) -> str:
    first = " ".join(text.splitlines()[:2])
    if "input_value" in first or "UnexpectedValue" in first:
        return "it is of another type"
    return "it has a lone surrogate" if "surrogates not allowed" in first else first[:200]
