"""From any Python value to a value that JSON, SQLite and OTLP can take. Runs no iterator and opens no lazy object."""

from __future__ import annotations

import base64
import math
from collections import Counter, deque
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from itertools import islice
from pathlib import PurePath
from types import MappingProxyType
from typing import Any
from uuid import UUID

from otel_taskflow.values.limits import Limits
from otel_taskflow.values.redaction import Redaction
from otel_taskflow.values.text import as_repr, as_text, cut, fits, type_name, unused_key

Json = Any
"""str, int, float, bool, None, and lists and dicts of them."""

_MIN, _MAX = -(2**63), 2**63 - 1
_BY_STR = (UUID, Decimal, Fraction, PurePath, timedelta, complex)
_BY_ISO = (datetime, date, time)
_SEQUENCES = (list, tuple, set, frozenset, deque)
_LAZY = ("__iter__", "__next__", "__aiter__", "__anext__", "__await__")
_HAS_FIELDS = ("__pydantic_fields__", "__dataclass_fields__", "__array_interface__")
_CONTAINERS = (*_SEQUENCES, dict, MappingProxyType)
_HARMLESS = (str, bytes, bytearray, memoryview, range, *_CONTAINERS)


class Walk:
    """The values of one call. What is left out is counted in ``counts`` and leaves a mark.

    Not reusable: it carries what is left of the call's limits.
    """

    def __init__(self, limits: Limits, redaction: Redaction, counts: Counter[str]) -> None:
        self._limits = limits
        self._redaction = redaction
        self._counts = counts
        self._bytes = limits.extras_bytes
        self._nodes = limits.nodes
        self._path: list[int] = []

    def extras(self, extra: dict[str, Any]) -> dict[str, Json]:
        """The extras of a call."""
        result: dict[str, Json] = {}
        for key, value in islice(extra.items(), self._limits.extras):
            name = unused_key(self.key(key), result)
            left = self._bytes
            self._bytes = min(left, self._limits.container_bytes)
            granted = self._bytes
            result[name] = self.member(as_text(key), value)
            self._bytes += left - granted
        if len(extra) > self._limits.extras:
            self._counts["extras"] += len(extra) - self._limits.extras
            result[unused_key("extras_cut", result)] = f"[cut: {self._limits.extras} of {len(extra)} extras kept]"
        return result

    def shown(self, value: Any) -> str:
        """Any value as one text: containers as Python shows them, of sanitised values; others by ``str()``."""
        try:
            if isinstance(value, _CONTAINERS):
                return str(self.value(value))
            if isinstance(value, str):
                return str.__str__(value)
            if is_lazy(value):
                return f"<{type_name(type(value))}>"
        except BaseException:  # noqa: BLE001 - a class may lie about itself in any way
            self._counts["unprintable"] += 1
            return f"<unprintable {type_name(type(value))}>"
        return as_text(value)

    def key(self, key: object) -> str:
        """A key: text, bounded, without a secret in it."""
        text = self._cut(self._redaction.text(as_text(key)), self._limits.key_bytes, "key")
        self._bytes -= len(text)
        return text

    def member(self, key: str, value: Any) -> Json:
        """A value under a key, masked if the key is a secret's."""
        try:
            masked = self._redaction.masked(key, value)
        except BaseException:  # noqa: BLE001 - a class may lie about itself in any way
            masked = value
        return self.value(masked)

    def value(self, value: Any) -> Json:
        """Any value."""
        self._nodes -= 1
        if self._nodes < 0 or self._bytes < 0:
            self._counts["items"] += 1
            return f"[cut: {type_name(type(value))}]"
        try:
            return self._known(value)
        except BaseException:  # noqa: BLE001 - whatever a user's class raises, logging its object must not harm the task
            self._counts["unprintable"] += 1
            return f"<unprintable {type_name(type(value))}>"

    def _known(self, value: Any) -> Json:
        if value is None or value is True or value is False:
            return value
        if isinstance(value, Enum):
            return self.value(value.value)
        for kinds, convert in self._CONVERSIONS:
            if isinstance(value, kinds):
                return convert(self, value)
        return self._other(value)

    def _text(self, value: str) -> str:
        text = self._cut(value if type(value) is str else str.__str__(value), self._limits.text_bytes, "text")
        self._bytes -= len(text)
        return text

    def _cut(self, text: str, max_bytes: int, reason: str) -> str:
        if fits(text, max_bytes):
            return cut(text, max_bytes)
        self._counts[reason] += 1
        # Half a secret has no form to know it by, so secrets go before the cut.
        return cut(self._redaction.text(text), max_bytes)

    def _int(self, value: int) -> Json:
        number = int.__add__(value, 0)
        if _MIN <= number <= _MAX:
            return number
        digits = number.bit_length() * 0.30103
        return self._text(str(number) if digits < 4000 else hex(number))

    def _float(self, value: float) -> Json:
        number = float.__mul__(value, 1.0)
        if math.isfinite(number):
            return number
        return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"

    def _bytes_like(self, value: Any) -> str:
        size = memoryview(value).nbytes
        room = self._limits.text_bytes * 3 // 4 - 96
        if size > room:
            self._counts["text"] += 1
        data = bytes(value[:room]) if not isinstance(value, memoryview) else value.tobytes()[:room]
        text = base64.b64encode(data).decode()
        self._bytes -= len(text)
        return f"base64:{text} ({size} bytes)" if size <= room else f"base64:{text}…[cut: {size} bytes]"

    def _by_str(self, value: Any) -> str:
        return self._text(str(value))

    def _by_iso(self, value: Any) -> str:
        return self._text(value.isoformat())

    def _exception(self, value: BaseException) -> str:
        return self._text(f"{type_name(type(value))}: {as_text(value)}")

    def _dict(self, value: Any) -> Json:
        if isinstance(value, MappingProxyType):
            value = dict(value)
        return self._container(value, dict.__len__(value), self._members)

    def _list(self, value: Any) -> Json:
        return self._container(value, _base(value).__len__(value), self._items)

    def _container(self, value: Any, size: int, convert: Callable[[Any, int], Json]) -> Json:
        if id(value) in self._path:
            return f"[cyclic: {type_name(type(value))}]"
        if len(self._path) >= self._limits.depth:
            self._counts["depth"] += 1
            return f"[cut: {type_name(type(value))} of {size}]"
        self._path.append(id(value))
        try:
            return convert(value, size)
        finally:
            self._path.pop()

    def _members(self, value: dict[Any, Any], size: int) -> dict[str, Json]:
        result: dict[str, Json] = {}
        for key, item in list(islice(dict.items(value), self._limits.items)):
            raw = self._key_text(key)
            name = unused_key(self.key(raw), result)
            result[name] = self.member(raw, item)
        if size > self._limits.items:
            self._counts["items"] += size - self._limits.items
            result[unused_key("[cut]", result)] = f"{self._limits.items} of {size} items kept"
        return result

    def _items(self, value: Any, size: int) -> list[Json]:
        result = [self.value(item) for item in list(islice(_iterate(value), self._limits.items))]
        if size > self._limits.items:
            self._counts["items"] += size - self._limits.items
            result.append(f"[cut: {self._limits.items} of {size} items kept]")
        return result

    def _key_text(self, key: object) -> str:
        if isinstance(key, Enum):
            key = key.value
        if isinstance(key, str):
            return str.__str__(key)
        return key.decode(errors="backslashreplace") if type(key) is bytes else as_text(key)

    def _other(self, value: Any) -> str:
        if isinstance(value, type):
            return self._text(type_name(value))
        if is_lazy(value):
            return f"<{type_name(type(value))}>"
        text = as_repr(value)
        if text.startswith("<unprintable "):
            self._counts["unprintable"] += 1
        return self._text(text)

    _CONVERSIONS: tuple[tuple[Any, Callable[..., Json]], ...] = (
        (str, _text),
        (int, _int),
        (float, _float),
        (dict, _dict),
        (MappingProxyType, _dict),
        (_SEQUENCES, _list),
        ((bytes, bytearray, memoryview), _bytes_like),
        (_BY_ISO, _by_iso),
        (_BY_STR, _by_str),
        (BaseException, _exception),
    )


def is_lazy(value: object) -> bool:
    """Whether showing the object might run something: it can be iterated or awaited and is not known to be harmless."""
    kind = type(value)
    if issubclass(kind, _HARMLESS) or any(hasattr(kind, name) for name in _HAS_FIELDS):
        return False
    return any(hasattr(kind, name) for name in _LAZY)


def _base(value: Any) -> Any:
    return next(kind for kind in _SEQUENCES if isinstance(value, kind))


def _iterate(value: Any) -> Iterator[Any]:
    """The entries as the builtin has them: a subclass may do anything in its own ``__iter__``."""
    entries: Iterator[Any] = _base(value).__iter__(value)
    return entries
