"""Protobuf's wire format, as far as OTLP has need of it: a message is its fields one behind the other.

Written by hand because it is the dearest part of export: objects of the protobuf package for each attribute and its value take
three times as long. What is written here is compared with them, and with what the SDK sends, in the tests.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from otel_taskflow.telemetry.otlp.values import Attributes

_MIN, _MAX = -(2**63), 2**63 - 1
_UNSIGNED = 2**64 - 1
_REMEMBERED_KEYS = 5000


def varint(number: int) -> bytes:
    """A number that is not negative."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


_LENGTHS = [varint(number) for number in range(4096)]
_SHORT = 0x7F - 2
_SHORT_TEXTS = [bytes((0x12, size + 2, 0x0A, size)) for size in range(_SHORT + 1)]
"""What stands before a text of so many bytes that is the value of an attribute."""
_SMALL = 0x80
_SMALL_NUMBERS = [bytes((0x12, 2, 0x18, number)) for number in range(_SMALL)]
"""Such a number as the value of an attribute."""


def length(size: int) -> bytes:
    """The length in front of that many bytes."""
    return _LENGTHS[size] if size < 4096 else varint(size)


def field(tag: bytes, content: bytes) -> bytes:
    """A field of bytes, text or a message."""
    return tag + length(len(content)) + content


def text(tag: bytes, content: str) -> bytes:
    """A field of text; nothing if it is empty. Raises ValueError for a lone surrogate."""
    return field(tag, content.encode()) if content else b""


def number(tag: bytes, value: int) -> bytes:
    """A field of an integer that is not negative; nothing if it is 0."""
    return tag + length(value) if value else b""


def fixed64(tag: bytes, value: int) -> bytes:
    """A field of 64 bits. Raises ValueError for a number that does not fit."""
    try:
        return tag + _pack_fixed64(value)
    except struct.error as error:
        raise ValueError(f"{value!r} is no time in nanoseconds: {error}") from None


def fixed32(tag: bytes, value: int) -> bytes:
    """A field of 32 bits."""
    return tag + value.to_bytes(4, "little")


def attributes(tag: bytes, values: Attributes) -> bytes:
    """A field with this tag for each attribute: ``opentelemetry.proto.common.v1.KeyValue``."""
    parts: list[bytes] = []
    for key, value in values.items():
        named, kind = _keys.get(key) or _key(key), type(value)
        if kind is str and len(encoded := value.encode()) <= _SHORT:
            content = named + _SHORT_TEXTS[len(encoded)] + encoded
        elif kind is int and 0 <= value < _SMALL:
            content = named + _SMALL_NUMBERS[value]
        else:
            content = named + field(b"\x12", any_value(value))
        size = len(content)
        parts += (tag, _LENGTHS[size] if size < 4096 else varint(size), content)
    return b"".join(parts)


def any_value(value: Any) -> bytes:
    """An ``opentelemetry.proto.common.v1.AnyValue``. What OTLP has no type for becomes text."""
    encode = _ENCODERS.get(type(value))
    return _text_value(str(value)) if encode is None else encode(value)


def _key(key: str) -> bytes:
    """The key of a KeyValue: an app has few, and each of them often."""
    if len(_keys) >= _REMEMBERED_KEYS:
        _keys.clear()
    found = _keys[key] = field(b"\x0a", key.encode())
    return found


def _text_value(value: str) -> bytes:
    return field(b"\x0a", value.encode())


def _number_value(value: int) -> bytes:
    return b"\x18" + varint(value & _UNSIGNED) if _MIN <= value <= _MAX else _text_value(str(value))


def _list_value(values: Sequence[Any]) -> bytes:
    return field(b"\x2a", b"".join([field(b"\x0a", any_value(each)) for each in values]))


_keys: dict[str, bytes] = {}
_pack_fixed64 = struct.Struct("<Q").pack
_pack_double = struct.Struct("<d").pack
_ENCODERS: Mapping[type, Callable[[Any], bytes]] = {
    str: _text_value,
    bool: lambda value: b"\x10\x01" if value else b"\x10\x00",
    int: _number_value,
    float: lambda value: b"\x21" + _pack_double(value),
    bytes: lambda value: field(b"\x3a", value),
    list: _list_value,
    tuple: _list_value,
    dict: lambda value: field(b"\x32", attributes(b"\x0a", value)),
    type(None): lambda _: b"",
}

__all__ = ["any_value", "attributes", "field", "fixed32", "fixed64", "length", "number", "text", "varint"]
