"""Looks at the health once a second: says in the log what has changed, and tells those who show it."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping

from otel_taskflow.health import OK, HealthReport, PartHealth
from otel_taskflow.telemetry.quiet import quiet

PERIOD = 1.0
"""Seconds between two looks."""

_logger = logging.getLogger("otel_taskflow")

Listener = Callable[[HealthReport], None]


class HealthWatch:
    """A thread of its own: what it watches may stand still, and housekeeping with it."""

    def __init__(self, report: Callable[[], HealthReport]) -> None:
        self._report = report
        self._listeners: dict[object, Listener] = {}
        self._states: dict[str, str] = {}
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._pid = 0

    def start(self) -> None:
        """Begin; all parts are taken to have been well before."""
        self._states = {}
        self._stopped = threading.Event()
        self._pid = os.getpid()
        self._thread = threading.Thread(
            target=self._work, args=(self._stopped,), name="otel_taskflow-health", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End after the look that is under way. Idempotent."""
        self._stopped.set()
        thread, self._thread = self._thread, None
        if thread is not None and self._pid == os.getpid() and thread is not threading.current_thread():
            thread.join(2.0)

    def on_look(self, listener: Listener) -> Callable[[], None]:
        """Have each report handed to ``listener``, on this thread; returns what takes that back."""
        key = object()
        self._listeners[key] = listener
        return lambda: self._forget(key)

    def look(self) -> HealthReport:
        """One look."""
        report = self._report()
        self._states = say_what_changed(self._states, report)
        for listener in list(self._listeners.values()):
            _tell(listener, report)
        return report

    def _work(self, stopped: threading.Event) -> None:
        with quiet():
            while not stopped.is_set():
                try:
                    self.look()
                except Exception as error:
                    _logger.debug("otel_taskflow: a look at the health failed", exc_info=error)
                stopped.wait(PERIOD)

    def _forget(self, key: object) -> None:
        self._listeners.pop(key, None)


def say_what_changed(before: Mapping[str, str], report: HealthReport) -> dict[str, str]:
    """Write a line for each part whose state is another one than before; return the states."""
    for part in report.parts:
        if part.state != before.get(part.part, OK) and not part.is_told:
            _say(part)
    return {part.part: part.state for part in report.parts}


def _say(part: PartHealth) -> None:
    if part.state == OK:
        _logger.info("otel_taskflow: %s is ok again", part.part)
    else:
        _logger.warning("otel_taskflow: %s is %s: %s; %s", part.part, part.state, part.why, part.remedy)


def _tell(listener: Listener, report: HealthReport) -> None:
    try:
        listener(report)
    except Exception as error:
        _logger.debug("otel_taskflow: %r failed to hear of the health", listener, exc_info=error)


__all__ = ["HealthWatch", "say_what_changed"]
