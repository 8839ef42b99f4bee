"""The error boundary of a thread that must not end."""

from __future__ import annotations

import logging
from time import sleep

PAUSE = 0.1
"""Seconds."""

_logger = logging.getLogger("otel_taskflow")


class Boundary:
    """Whatever goes wrong in a loop is logged, once for each kind of error, and after a short pause the loop goes on."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._logged: set[type] = set()

    def caught(self, error: Exception) -> None:
        """Something went wrong."""
        if type(error) not in self._logged:
            self._logged.add(type(error))
            _logger.error("otel_taskflow: %s failed and goes on; logged once: %s", self._name, error, exc_info=error)
        sleep(PAUSE)
