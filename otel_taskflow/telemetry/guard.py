"""Telemetry fails nothing: what goes wrong in it is counted, logged once, and over."""

from __future__ import annotations

import logging
from collections import Counter

_logger = logging.getLogger("otel_taskflow")


class Mishaps:
    """Counts failures of telemetry by what was being done; the first of each kind is logged with its traceback."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def note(self, doing: str, error: BaseException) -> None:
        """Count a failure to do this."""
        self.counts[doing] += 1
        if self.counts[doing] == 1:
            _logger.warning("otel_taskflow: telemetry failed to %s; the task goes on", doing, exc_info=error)


def clean(text: str) -> str:
    """Text that can be encoded as UTF-8: one lone surrogate makes an exporter lose its whole batch."""
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
