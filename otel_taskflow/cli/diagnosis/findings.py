"""What a check finds."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import NamedTuple

OK = "ok"
NOTE = "note"
PROBLEM = "problem"


class Finding(NamedTuple):
    """One line of the doctor, and what to do about it."""

    level: str
    """ "ok", "note" or "problem"; a problem makes the exit status 1."""
    text: str
    remedy: str = ""


def size(number: float) -> str:
    """``3.4 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 999.5:
            return f"{number:.0f} {unit}" if unit == "B" or number >= 99.5 else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def moment(time_ns: int) -> str:
    """``2026-01-31 12:00:00 UTC``."""
    try:
        return f"{datetime.fromtimestamp(time_ns // 1_000_000_000, timezone.utc):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return str(time_ns)


def age(seconds: float) -> str:
    """``12 s``, ``5 min``, ``3 h``, ``2 d``."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"
