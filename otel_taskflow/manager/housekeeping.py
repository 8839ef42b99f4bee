"""What a process does twice a second beside its tasks: a look at the loop, verbs, tasks that wait for their function, upkeep."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from otel_taskflow.consumers.store import Upkeep
from otel_taskflow.engine.local import LocalEngine
from otel_taskflow.engine.recovery import Recovery
from otel_taskflow.errors import TaskflowError
from otel_taskflow.manager.pulse import Pulse
from otel_taskflow.ports import StoreWriter

_logger = logging.getLogger("otel_taskflow")

PERIOD = 0.5
"""Seconds between rounds; a verb waits at most this long."""


class Housekeeping:
    """One daemon thread. An error ends a round, not the thread, and is logged once."""

    def __init__(
        self,
        own_id: str,
        engine: LocalEngine,
        recovery: Recovery,
        store: StoreWriter,
        upkeep: Upkeep,
        pulse: Pulse,
    ) -> None:
        self._own_id = own_id
        self._engine = engine
        self._recovery = recovery
        self._store = store
        self._pulse = pulse
        self._steps: list[Callable[[], None]] = [
            engine.look_at_loop,
            engine.tend_threads,
            engine.tend_workers,
            self._obey_commands,
            recovery.resume,
            upkeep.tend,
        ]
        self._stopped = threading.Event()
        self._failed: set[str] = set()
        self._thread = threading.Thread(target=self._work, name="otel_taskflow-housekeeping", daemon=True)

    def start(self) -> None:
        """Begin; the first round runs at once."""
        self._thread.start()

    def stop(self) -> None:
        """End after the current round. Idempotent."""
        self._stopped.set()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(5.0)

    def _work(self) -> None:
        while not self._stopped.is_set():
            for step in self._steps:
                self._try(step)
            self._stopped.wait(PERIOD)

    def _try(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as error:
            kind = f"{getattr(step, '__name__', step)}: {type(error).__name__}"
            if kind not in self._failed:
                self._failed.add(kind)
                _logger.warning("otel_taskflow: housekeeping failed, will try again: %s", kind, exc_info=True)

    def _obey_commands(self) -> None:
        for command in self._pulse.asking(lambda: self._store.take_commands(self._own_id)):
            if command.verb == "cancel":
                self._cancel(command.task_id)

    def _cancel(self, task_id: str) -> None:
        try:
            if not self._engine.cancel(task_id):
                self._recovery.cancel(task_id)
        except TaskflowError as error:
            _logger.info("otel_taskflow: %s", error)
