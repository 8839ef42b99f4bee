"""The place of one processor in the buffer of its process."""

from __future__ import annotations

import logging
import os
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from time import monotonic, time_ns
from typing import Any

from otel_taskflow.errors import JournalError
from otel_taskflow.export import Destination
from otel_taskflow.setup.buffer import Buffer
from otel_taskflow.setup.encoding import Origins
from otel_taskflow.setup.sharing import enter_buffer, only_one

RETRY = 1.0
"""Seconds between two tries of a forked child to make a buffer of its own."""

_logger = logging.getLogger("otel_taskflow")


class Place:
    """Puts items of one signal into the buffer. Only making one raises: JournalError, ConfigurationError."""

    def __init__(self, folder: Path, destination: Destination, signal: str) -> None:
        self._folder = folder.absolute()
        self._destination = destination
        self._origins = Origins(destination.name, signal)
        self._buffer = enter_buffer(self._folder, self, destination)
        self._retry_at = 0.0
        self._has_lost_early = False
        """Whether a forked child lost something before it had a buffer of its own."""
        self._failures: Counter[type[Exception]] = Counter()
        self._leaving = threading.Lock()
        self._has_left = False
        self.is_delivered = False
        """Whether all was delivered when it left."""

    def put(self, item: Any, encode: Callable[[Any], bytes]) -> None:
        """Keep an item. What cannot be kept is counted, said once, and over.

        Its age begins now: an import of old records has times of long ago.
        """
        if self._has_left:
            return
        try:
            self._current().intake.put(self._origins.of(item), time_ns(), encode(item))
        except Exception as error:  # noqa: BLE001 - whatever is in an item, whoever ended it goes on
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        self._has_lost_early = self._has_lost_early or self._is_parents
        self._buffer.intake.dropped["unencodable" if not isinstance(error, JournalError) else "closed"] += 1
        self._failures[type(error)] += 1
        if self._failures[type(error)] == 1:
            _logger.warning("otel_taskflow: a span or log record is lost, it cannot be kept: %s", error, exc_info=error)

    def _current(self) -> Buffer:
        """The buffer of this process: after a fork the child's own, whose making is the one time that this touches a disk."""
        if self._is_parents:
            with only_one():
                if self._is_parents:
                    self._make_own()
        return self._buffer

    def _make_own(self) -> None:
        if monotonic() < self._retry_at:
            raise JournalError("the buffer of this process could not be made; it is tried again every second")
        try:
            self._buffer = enter_buffer(self._folder, self, self._destination)
        except Exception:
            self._retry_at = monotonic() + RETRY
            raise

    @property
    def _is_parents(self) -> bool:
        """Whether this is a forked child that has put in nothing yet."""
        return self._buffer.pid != os.getpid()

    def flush(self, timeout: float) -> bool:
        """Deliver what was put in. False if not all of it was, for whatever reason."""
        if self._has_left:
            return self.is_delivered
        has_lost, self._has_lost_early = self._has_lost_early, False
        try:
            return (self._is_parents or self._buffer.flush(self._destination.name, timeout)) and not has_lost
        except Exception as error:
            _logger.warning("otel_taskflow: flushing spans and logs failed", exc_info=error)
            return False

    def patience(self, timeout: float) -> float:
        """Seconds worth waiting at an end."""
        return timeout if self._is_parents else self._buffer.patience(timeout)

    def leave(self, timeout: float) -> bool:
        """Deliver what was put in, then end; in ``timeout`` seconds at most. Idempotent. What is left is sent at the next start."""
        if not self._leaving.acquire(blocking=False):
            return self.is_delivered
        try:
            self.is_delivered = self._is_parents or self._buffer.leave(self, self._destination.name, timeout)
        except Exception as error:
            _logger.warning("otel_taskflow: ending the buffer of spans and logs failed", exc_info=error)
        self._has_left = True
        return self.is_delivered


__all__ = ["Place"]
