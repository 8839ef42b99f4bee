"""The disk buffer of a folder and process: a journal that spans and log records go into, and what empties it.

    on_end ─► journal ─► tailer ─► spool ─► sender, one a destination ─► collector
                           dead journals ─►┘

Nothing here waits for the network but ``flush`` and ``close``, and these have a deadline: what they leave is safe.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from otel_taskflow.consumers.progress import remaining
from otel_taskflow.consumers.slices import Decoder
from otel_taskflow.consumers.tailer import Tailer
from otel_taskflow.errors import ConfigurationError, SpoolError
from otel_taskflow.export import Destination
from otel_taskflow.export.sender import Sender
from otel_taskflow.health import PartHealth
from otel_taskflow.journal.folder import new_journal_id, open_folder
from otel_taskflow.journal.otlp import decode_otlp
from otel_taskflow.journal.writer import JournalWriter
from otel_taskflow.ports import JournalHeader
from otel_taskflow.setup.deadline import run_with_deadline
from otel_taskflow.setup.intake import Intake
from otel_taskflow.setup.leftovers import NAMESPACE, Leftovers
from otel_taskflow.setup.spooling import SpoolConsumer
from otel_taskflow.spool import Limits, Spool
from otel_taskflow.telemetry.quiet import quiet
from otel_taskflow.version import __version__

PERIOD = 1.0
"""Seconds between two looks for the dead, and between two tries to open the spool."""
DOWN_TIMEOUT = 1.0
"""Seconds that deliveries may take at an end when the destination is known to fail: all is safe on disk, and the whole end stays
below 1.5."""
STEP = 0.25
"""Seconds of a flush between two looks whether the destination has begun to fail."""

_logger = logging.getLogger("otel_taskflow")


def spool_path(root: Path) -> Path:
    """The spool of a folder. The locks of its senders are beside it."""
    return root / "spool" / "spool.db"


class Buffer:
    """Takes encoded messages of any destination. Shared by those who use it; the last one that leaves closes it.

    Making one touches the disk: it raises JournalError if the folder cannot be used. A spool that cannot be opened is tried
    again for as long as it takes.
    """

    def __init__(self, folder: Path) -> None:
        self.pid = os.getpid()
        self.root = open_folder(folder)
        self._writer = JournalWriter.create(self.root, _header())
        self.intake = Intake(self._writer)
        self._limits: dict[str, Limits] = {}
        path = spool_path(self.root)
        self._spool = Spool(path, self._limits)
        self._leftovers = Leftovers(self.root, self._spool)
        self._consumer = SpoolConsumer(self._spool, self._writer.id)
        self._tailer = Tailer(self._writer, decoder=Decoder(read=decode_otlp))
        self._tailer.add(self._consumer, is_store=True)
        self._senders: dict[str, Sender] = {}
        self._users: list[object] = []
        self._lock = threading.Lock()
        self._leaving = threading.Lock()
        self._ready = threading.Event()
        self._stopped = threading.Event()
        self._is_closing = False
        self._has_failed = False
        """Whether the spool could not be opened the last time."""
        self._told = 0
        self._thread = threading.Thread(target=self._work, name="otel_taskflow-buffer", daemon=True)
        self.intake.start()
        self._thread.start()

    # Who uses it

    def enter(self, user: object, destination: Destination) -> bool:
        """Somebody puts in messages for this destination; False if the buffer is closed.

        Raises ConfigurationError if another destination has its name.
        """
        with self._lock:
            if self._is_closing:
                return False
            sender = self._senders.get(destination.name)
            if sender is None:
                sender = Sender(destination, self._spool, spool_path(self.root).parent)
                self._limits[destination.name] = Limits(*destination.limits)
                self._senders[destination.name] = sender
                if self._ready.is_set():
                    sender.start()
            elif sender.destination != destination:
                raise ConfigurationError(
                    f"two different destinations of the folder {self.root} are called {destination.name!r}; what waits for a "
                    'destination waits under its name, so give each its own, with OTLPExporter(name="...")'
                )
            if user not in self._users:
                self._users.append(user)
            return True

    def leave(self, user: object, name: str, timeout: float) -> bool:
        """Deliver what there is for a destination, in ``timeout`` seconds at most; True if all of it was.

        The last one closes the buffer. What is not delivered is sent at the next start.
        """
        with self._lock:
            if user in self._users:
                self._users.remove(user)
            self._is_closing = is_last = not self._users
        deadline = time.monotonic() + self.patience(timeout)
        is_my_turn = self._leaving.acquire(timeout=remaining(deadline))
        try:
            if is_last:
                return self._close(deadline)
            return is_my_turn and self._hand_over(deadline) and self._send(self._senders[name], deadline)
        finally:
            if is_my_turn:
                self._leaving.release()

    @property
    def is_closed(self) -> bool:
        """Whether the last one has left."""
        return self._is_closing

    # Delivering

    def flush(self, name: str, timeout: float) -> bool:
        """Deliver what there is for a destination. False if ``timeout`` seconds passed first, or anything was lost."""
        deadline, sender = time.monotonic() + timeout, self._senders[name]
        lost_before = sender.lost() if self._ready.wait(remaining(deadline)) else None
        is_delivered = (
            self._hand_over(deadline) and self._take_over(deadline) and sender.flush(remaining(deadline), lost_before)
        )
        lost = self.lost
        told, self._told = self._told, lost
        return is_delivered and lost == told

    @property
    def lost(self) -> int:
        """Messages that never came as far as the spool."""
        counters = (self._writer.dropped, self.intake.dropped, self._consumer.dropped, self._tailer.decoder.dropped)
        return sum(sum(each.values()) for each in counters)

    def _hand_over(self, deadline: float) -> bool:
        """Wait until everything is in the spool."""
        if not self._ready.wait(remaining(deadline)) or not self.intake.flush(remaining(deadline)):
            return False
        return self._tailer.flush(remaining(deadline))

    def _take_over(self, deadline: float) -> bool:
        """Wait until what dead processes left is in the spool, too."""
        return self._leftovers.take(lambda: self._stopped.is_set() or remaining(deadline) <= 0)

    def _send(self, sender: Sender, deadline: float) -> bool:
        """Flush for as long as the destination does not fail."""
        while not sender.flush(min(STEP, remaining(deadline))):
            if remaining(deadline) <= 0 or sender.health().state != "ok":
                return False
        return True

    def patience(self, timeout: float) -> float:
        """Seconds worth waiting at an end: fewer where a destination is known to fail, since everything is safe on disk."""
        is_ready = self._ready.is_set()
        fails = (
            any(sender.health().state != "ok" for sender in self._senders.values()) if is_ready else self._has_failed
        )
        return min(timeout, DOWN_TIMEOUT) if fails else timeout

    # Work in the background

    def _work(self) -> None:
        with quiet():
            while not self._stopped.is_set() and not self._open():
                self._stopped.wait(PERIOD)
            while not self._stopped.is_set():
                self._look_for_the_dead()
                self._stopped.wait(PERIOD)

    def _open(self) -> bool:
        try:
            self._spool.open()
        except SpoolError as error:
            if not self._has_failed:
                _logger.warning(
                    "otel_taskflow: spans and logs wait in the journal until the spool can be had: %s", error
                )
            self._has_failed = True
            return False
        with self._lock:
            self._tailer.start()
            for sender in self._senders.values():
                sender.start()
            self._ready.set()
        return True

    def _look_for_the_dead(self) -> None:
        try:
            self._leftovers.take(self._stopped.is_set)
        except Exception as error:
            _logger.debug("otel_taskflow: looking for spans and logs of ended processes failed", exc_info=error)

    # The end

    def _close(self, deadline: float) -> bool:
        is_in_spool = self._hand_over(deadline)
        steps = [partial(sender.stop, remaining(deadline)) for sender in self._senders.values()]
        is_delivered = run_with_deadline(steps, remaining(deadline) + 0.1) and is_in_spool and self.lost == self._told
        self._stopped.set()
        self._thread.join(max(0.1, remaining(deadline)))
        self.intake.stop()
        if self._ready.is_set():
            self._tailer.stop(max(0.1, remaining(deadline)))
        self._writer.close(self._tailer.consumed)
        self._forget(is_delivered)
        return is_delivered

    def _forget(self, is_delivered: bool) -> None:
        try:
            if self._ready.is_set() and self._tailer.consumed >= self._writer.end:
                self._spool.forget_journal(self._writer.id)
        except SpoolError as error:
            _logger.debug("otel_taskflow: the end of a journal could not be noted", exc_info=error)
        if is_delivered:  # else an answer may be on its way, which still counts
            self._spool.close()

    # How it is

    def health(self) -> Sequence[PartHealth]:
        """The journal, the spool and each destination."""
        return [self._journal_health(), self._spool.health(), *(each.health() for each in self._senders.values())]

    def _journal_health(self) -> PartHealth:
        figures = {"lag": self._writer.end - self._tailer.consumed, "dropped": self.lost}
        if self._writer.is_degraded:
            return PartHealth(
                "journal:sdk", "degraded", "its disk is full, it goes on in memory", "free some disk space", figures
            )
        if not self._ready.is_set():
            return PartHealth(
                "journal:sdk", "degraded", "the spool cannot be opened yet", "see the part spool", figures
            )
        return PartHealth("journal:sdk", "ok", figures=figures)


def _header() -> JournalHeader:
    host = socket.gethostname()
    return JournalHeader(
        journal_id=new_journal_id(NAMESPACE),
        created_at=time.time_ns(),
        pid=os.getpid(),
        host=host,
        boot_id="",
        worker=f"{host}:{os.getpid()}",
        namespace=NAMESPACE,
        release=__version__,
    )


__all__ = ["Buffer", "spool_path"]
