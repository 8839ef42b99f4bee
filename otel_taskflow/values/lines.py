"""Texts for sinks that are read line by line: terminals, files, the dashboard's list of lines."""

from __future__ import annotations

from datetime import datetime, timezone
from functools import lru_cache

from otel_taskflow.values.text import as_text

_NAMED = {"\n": "\\n", "\r": "\\r"}
_DIRECTIONS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_SEPARATORS = "\u2028\u2029"
_UNSAFE = frozenset([*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0)), *_DIRECTIONS, *_SEPARATORS]) - {"\t"}


def one_line(text: str) -> str:
    """A text that can neither forge a second line nor steer a terminal nor change the direction of what is read.

    Line ends become ``\\n`` and ``\\r``, control characters (tab excepted) ``\\x1b``, characters that change the
    direction, line separators and lone surrogates ``\\u202e``. The same object if nothing was to be escaped.
    """
    if text.isprintable():
        return text
    return "".join(map(_escaped, text))


def iso_millis(time_ns: int) -> str:
    """Unix nanoseconds as ``2026-04-01T10:00:00.123Z``. Times out of a calendar's range are given as a number."""
    return _millisecond(time_ns // 1_000_000)


def iso_micros(time_ns: int) -> str:
    """Unix nanoseconds as ``2026-04-01T10:00:00.123456+00:00``, otherwise as ``iso_millis``."""
    seconds, rest = divmod(time_ns, 1_000_000_000)
    return f"{_second(seconds)}.{rest // 1000:06d}+00:00"


@lru_cache(maxsize=1024)
def _millisecond(milliseconds: int) -> str:
    """Where lines are many, they are of few milliseconds."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{_second(seconds)}.{rest:03d}Z"


@lru_cache(maxsize=256)
def _second(seconds: int) -> str:
    """Lines that follow each other are mostly of one second."""
    try:
        return datetime.fromtimestamp(seconds, timezone.utc).replace(tzinfo=None).isoformat()
    except (OverflowError, ValueError, OSError):
        return str(seconds)


def record_line(time_ns: int, message: object) -> str:
    """``2026-04-01T10:00:00.123Z message``, in one line."""
    text = message if type(message) is str else as_text(message)
    return f"{iso_millis(time_ns)} {one_line(text)}"


def _escaped(character: str) -> str:
    code = ord(character)
    if character not in _UNSAFE and not 0xD800 <= code < 0xE000:
        return character
    return _NAMED.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")
