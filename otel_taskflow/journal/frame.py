"""How a record lies in a segment: magic, length, CRC, sequence number, payload.

A torn record (its process died in the middle of writing it) is recognised by its CRC. On a live tail it means "not yet"; in a
dead journal it is skipped, counted, and reading resumes at the next magic.
"""

from __future__ import annotations

from mmap import mmap
from struct import Struct
from typing import NamedTuple
from zlib import crc32

MAGIC = 0xF10C7A5C
HEADER = Struct("<IIIQ")
"""magic, length of the payload, CRC-32, sequence number. The CRC is over the payload, started with both halves of the number."""
MAX_PAYLOAD = 16 * 1024 * 1024

_HEADER_SIZE = HEADER.size
_unpack_header = HEADER.unpack_from
_magic_bytes = MAGIC.to_bytes(4, "little")


class Frame(NamedTuple):
    """A record found in a segment; ``end`` is where the next one begins."""

    seq: int
    payload: bytes
    end: int


def pack(seq: int, payload: bytes) -> bytes:
    """A record as it is written."""
    return HEADER.pack(MAGIC, len(payload), crc32(payload, seq ^ (seq >> 32)), seq) + payload


def read_frame(buffer: bytes | memoryview | mmap, position: int) -> Frame | None:
    """The record at ``position``; None if there is none, or a torn one."""
    start, size = position + _HEADER_SIZE, len(buffer)
    if start > size:
        return None
    magic, length, crc, seq = _unpack_header(buffer, position)
    end = start + length
    if magic != MAGIC or length > MAX_PAYLOAD or end > size:
        return None
    payload = bytes(buffer[start:end])  # of a map: already bytes
    return Frame(seq, payload, end) if crc32(payload, seq ^ (seq >> 32)) == crc else None


def skip_frames(buffer: bytes | memoryview | mmap, position: int, last: int) -> int:
    """Where the record behind number ``last`` begins, or the first that is not whole; by their heads only.

    For records that are known to be whole: nothing is checked.
    """
    while position + HEADER.size <= len(buffer):
        magic, length, _, seq = HEADER.unpack_from(buffer, position)
        if magic != MAGIC or seq > last:
            break
        position += HEADER.size + length
    return position


def find_magic(buffer: bytes, position: int) -> int:
    """Where the next record might begin, at or after ``position``; -1 if nowhere."""
    return buffer.find(_magic_bytes, position)
