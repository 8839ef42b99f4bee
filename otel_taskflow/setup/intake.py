"""The way into the journal for encoded messages: it waits for nothing, whatever the disk or another thread does."""

from __future__ import annotations

import threading
from collections import Counter
from queue import Empty, SimpleQueue
from threading import get_ident

from otel_taskflow.errors import JournalError
from otel_taskflow.journal.otlp import Origin, encode_declaration, encode_message
from otel_taskflow.journal.writer import JournalWriter

DECLARED_BYTES = 512 * 1024
"""What each segment begins with at most. Origins beyond travel with their messages: an app may make scopes without end."""
DEFERRED = 10_000
"""Records that wait in memory for a segment. Only a disk that hangs lets it come to that."""
PAUSE = 0.2
"""Seconds between two tries to make a segment on a disk that has no room."""


class Intake:
    """Appends to the journal of this process, and keeps the next segment ready.

    A segment is made on a thread of its own. What is put in while there is none waits in memory, which a dead process would
    take along; so it does where a signal handler or a destructor interrupts us in our own lock. ``dropped`` counts losses.
    """

    def __init__(self, writer: JournalWriter) -> None:
        self._writer = writer
        self._numbers: dict[Origin, int] = {}
        self._declared_bytes = 0
        self._lock = threading.Lock()
        self._inside: set[int] = set()
        self._deferred: SimpleQueue[bytes | threading.Event | None] = SimpleQueue()
        self._is_rung = False
        self._is_failing = False
        self._stopped = False
        self.dropped: Counter[str] = Counter()
        self._thread = threading.Thread(target=self._work, name="otel_taskflow-segments", daemon=True)

    def start(self) -> None:
        """Begin to make segments."""
        self._ring()
        self._thread.start()

    def put(self, origin: Origin, time: int, body: bytes) -> None:
        """Keep a message. Raises JournalError when the journal is closed."""
        thread = get_ident()
        if thread in self._inside:
            self._defer(encode_message(origin, time, body))
            return
        self._inside.add(thread)
        try:
            number = self._numbers.get(origin) or self._declare(origin)
            record = encode_message(origin if number is None else number, time, body)
            if not self._writer.try_append(record):
                self._defer(record)
        finally:
            self._inside.discard(thread)
        if not (self._is_rung or self._writer.has_spare()):
            self._ring()

    def _declare(self, origin: Origin) -> int | None:
        """Give the origin a number that its messages can refer to; None if there is no room for it, or not now."""
        with self._lock:
            known = self._numbers.get(origin)
            if known is not None:
                return known
            number = len(self._numbers) + 1
            record = encode_declaration(number, origin)
            if self._declared_bytes + len(record) > DECLARED_BYTES or not self._writer.try_append(record, pinned=True):
                return None
            self._declared_bytes += len(record)
            self._numbers[origin] = number
            return number

    def _defer(self, record: bytes) -> None:
        if self._deferred.qsize() < DEFERRED:
            self._deferred.put(record)
        else:
            self.dropped["journal_stalled"] += 1

    def _ring(self) -> None:
        self._is_rung = True
        self._deferred.put(None)

    def flush(self, timeout: float) -> bool:
        """Wait until nothing is left in memory that was put in before; False when ``timeout`` seconds passed first."""
        reached = threading.Event()
        self._deferred.put(reached)
        return reached.wait(max(0.0, timeout))

    def stop(self) -> None:
        """End the thread. After ``flush``."""
        self._stopped = True
        self._deferred.put(None)

    def _work(self) -> None:
        self._inside.add(get_ident())
        while not self._stopped:
            found = self._next()
            if isinstance(found, threading.Event):
                found.set()
            elif found is None:
                self._make_segment()
            else:
                self._append(found)

    def _next(self) -> bytes | threading.Event | None:
        """What was put in; None if a segment is to be made, as it is now and then while the disk has no room for one."""
        try:
            return self._deferred.get(timeout=PAUSE if self._is_failing else None)
        except Empty:
            return None

    def _make_segment(self, *, in_need: bool = False) -> None:
        self._writer.prepare(early=True, in_need=in_need)
        self._is_failing = self._is_rung = not self._writer.has_spare()

    def _append(self, record: bytes) -> None:
        """What did not fit goes into a new segment, in memory if the disk is full."""
        try:
            if self._writer.try_append(record):
                return
            self._make_segment(in_need=True)
            if not self._writer.try_append(record):  # it is larger than a segment
                self._writer.append_log(record, keep=False)
        except JournalError:
            self.dropped["closed"] += 1


__all__ = ["Intake"]
