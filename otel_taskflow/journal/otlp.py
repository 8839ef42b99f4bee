"""Encoded OTLP messages as journal records: spans and log records that are of no task.

The first byte of such a record is above 0x7f, which no JSON text begins with, so none of them is taken for an event.

Resource and scope, which thousands of messages share, are declared under a number. A declaration is a pinned record: each
segment begins with all of them, so that what is left of a journal can be read without the segments that are gone. Where there
are too many to repeat, a message carries its own.
"""

from __future__ import annotations

from struct import Struct, error
from typing import NamedTuple

from otel_taskflow.errors import JournalError

_DECLARED = 0xD0
_NUMBERED = 0xD1
_WHOLE = 0xD2

_declared = Struct("<BI")
_numbered = Struct("<BIQ")
_whole = Struct("<BQ")
_length = Struct("<I")
_LAST_TIME = 2**63 - 1


class Origin(NamedTuple):
    """Where a message comes from and where it goes: what is around it in a request, and whose request that is."""

    destination: str
    signal: str
    resource: bytes
    resource_schema_url: str
    scope: bytes
    scope_schema_url: str


class Declaration(NamedTuple):
    """From here on, this number stands for this origin."""

    number: int
    origin: Origin


class Encoded(NamedTuple):
    """One encoded span or log record; its origin, or the number of it."""

    origin: int | Origin
    time: int
    """Unix nanoseconds of what it tells."""
    body: bytes


OtlpRecord = Declaration | Encoded


def encode_declaration(number: int, origin: Origin) -> bytes:
    """The record of a ``Declaration``."""
    return _declared.pack(_DECLARED, number) + _origin(origin)


def encode_message(origin: int | Origin, time: int, body: bytes) -> bytes:
    """The record of an ``Encoded``."""
    time = min(max(0, time), _LAST_TIME)
    if type(origin) is int:
        return _numbered.pack(_NUMBERED, origin, time) + body
    assert isinstance(origin, Origin)
    return _whole.pack(_WHOLE, time) + _origin(origin) + body


def is_otlp(payload: bytes) -> bool:
    """True for a record of this format, False for an event."""
    return payload[:1] >= b"\x80"


def decode_otlp(payload: bytes) -> OtlpRecord:
    """What a record says. Raises JournalError for what no release of this format has written."""
    try:
        return _decode(payload)
    except (ValueError, IndexError, error) as problem:
        raise JournalError(f"an OTLP record of {len(payload)} bytes cannot be read: {problem}") from problem


def _decode(payload: bytes) -> OtlpRecord:
    kind = payload[0]
    if kind == _NUMBERED:
        _, number, time = _numbered.unpack_from(payload)
        return Encoded(number, time, payload[_numbered.size :])
    if kind == _DECLARED:
        _, number = _declared.unpack_from(payload)
        return Declaration(number, _read_origin(payload, _declared.size)[0])
    if kind == _WHOLE:
        _, time = _whole.unpack_from(payload)
        origin, end = _read_origin(payload, _whole.size)
        return Encoded(origin, time, payload[end:])
    raise ValueError(f"its kind {kind:#x} is unknown")


def _origin(origin: Origin) -> bytes:
    fields = (each.encode() if isinstance(each, str) else each for each in origin)
    return b"".join(_length.pack(len(field)) + field for field in fields)


def _read_origin(payload: bytes, position: int) -> tuple[Origin, int]:
    fields = []
    for _ in Origin._fields:
        start = position + _length.size
        position = start + _length.unpack_from(payload, position)[0]
        if position > len(payload):
            raise ValueError("it ends too early")
        fields.append(payload[start:position])
    destination, signal, resource, resource_url, scope, scope_url = fields
    return (
        Origin(destination.decode(), signal.decode(), resource, resource_url.decode(), scope, scope_url.decode()),
        position,
    )


__all__ = [
    "Declaration",
    "Encoded",
    "Origin",
    "OtlpRecord",
    "decode_otlp",
    "encode_declaration",
    "encode_message",
    "is_otlp",
]
