"""One consumer on a thread of its own: level, it is handed the tailer's slices; behind, it reads the journal itself."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Protocol

from otel_taskflow.consumers.boundary import Boundary
from otel_taskflow.consumers.condition import Condition, condition_of
from otel_taskflow.consumers.progress import Progress, remaining
from otel_taskflow.consumers.slices import Decoder, part_after
from otel_taskflow.health import Figure, PartHealth, worse
from otel_taskflow.journal.reader import LiveReader
from otel_taskflow.journal.writer import JournalWriter
from otel_taskflow.ports import Consumer, JournalSlice

QUEUE = 16
"""Slices that wait in memory; what does not fit stays in the journal and is read from there."""
TRIES = 3
FIRST_PAUSE = 0.05
LONGEST_PAUSE = 5.0

_logger = logging.getLogger("otel_taskflow")


class Helper(Protocol):
    """Takes events elsewhere for a while, in place of the consumer."""

    def is_wanted(self, lag: int) -> bool:
        """Whether so many events that wait are rather for the helper than for the consumer. For any thread."""

    def notice(self, taken: int, lag: int) -> bool:
        """The consumer took so many events since the last time, and so many wait. True if the helper takes these instead."""

    def run(self, advance: Callable[[int], None]) -> None:
        """Take events until the consumer has to go on; ``advance`` is told the last one."""

    def ring(self, end: int) -> None:
        """There are events up to this one. For any thread."""

    def close(self) -> None:
        """Let ``run`` end soon, for good. For any thread."""

    def dismiss(self) -> None:
        """After all else."""

    def figures(self) -> Mapping[str, Figure]:
        """What it adds to the consumer's health. Never raises."""


class ConsumerThread:
    """Drives one consumer. ``progress.at`` is the last event it has taken.

    Args:
        start: Sequence number of the last event that is not for it.
        max_lag: Events it may be behind before the journal stops keeping segments for it; None: no limit.
        must_succeed: A slice that fails is offered again for ever instead of three times (the store: the data waits).
    """

    def __init__(
        self,
        consumer: Consumer,
        writer: JournalWriter,
        decoder: Decoder,
        *,
        start: int,
        max_lag: int | None,
        must_succeed: bool,
    ) -> None:
        self.consumer = consumer
        self._is_listening: Callable[[], bool] = getattr(consumer, "is_listening", _always)
        self._is_stalled: Callable[[], bool] | None = getattr(consumer, "is_stalled", None)
        self.helper: Helper | None = None
        """Who may take events in its place. Given before ``start``."""
        self.is_helped = False
        """Whether the helper takes events now, and no slice is wanted."""
        self.progress = Progress(start)
        self.max_lag = max_lag
        self._failed = 0
        self._must_succeed = must_succeed
        self._writer = writer
        self._header = writer.header
        self._reader = LiveReader(writer, start)
        self._decoder = decoder
        self._queue: deque[JournalSlice] = deque()
        self._wanted = start
        self._changed = threading.Condition()
        self._stopped = False
        self._is_laggard = False
        self._trouble: Exception | None = None
        self._moved_at = monotonic()
        """When it last took something, or was level."""
        self._boundary = Boundary(f"reading the journal for {consumer.name}")
        self._thread = threading.Thread(target=self._work, name=f"otel_taskflow-{consumer.name}", daemon=True)

    @property
    def skipped(self) -> int:
        """Events that the consumer never got: it failed three times, or they were gone before it came to them."""
        return self._failed + self._reader.skipped

    @property
    def trouble(self) -> Exception | None:
        """What its last try raised; None if it went well."""
        return self._trouble

    @property
    def is_stalled(self) -> bool:
        """Whether the consumer says that it comes no further. Then there is no use in waiting for it."""
        return self._is_stalled is not None and self._is_stalled()

    @property
    def lag(self) -> int:
        """Events that it is behind the writer."""
        return max(0, self._writer.end - self.progress.at)

    def health(self) -> PartHealth:
        """Whether it takes what there is, and what the consumer says of itself. Never raises."""
        still = monotonic() - self._moved_at if self._wanted > self.progress.at else 0.0
        condition = Condition(self.lag, self.max_lag, self.skipped, still, self._trouble)
        own = condition_of(self.consumer.name, condition)
        if self.helper is not None:
            own = own._replace(figures={**own.figures, **self.helper.figures()})
        ask = getattr(self.consumer, "health", None)
        return own if ask is None else worse(own, ask())

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def offer(self, piece: JournalSlice) -> None:
        """There is a new slice; it is kept if there is room, else it will be read from the journal."""
        with self._changed:
            if self.progress.at >= self._wanted:
                self._moved_at = monotonic()
            if len(self._queue) < QUEUE:
                self._queue.append(piece)
            else:
                self._is_laggard = True
            self._wanted = max(piece.last, self._wanted)
            self._changed.notify()

    @property
    def wants_slices(self) -> bool:
        """Whether it is to be offered slices now. Else ``pass_by`` it."""
        is_helped = self.is_helped or (self.helper is not None and self.helper.is_wanted(self.lag))
        return not (is_helped or self._is_laggard) and self._is_listening()

    def pass_by(self, end: int) -> None:
        """There are events up to this one, of which it wants no slices.

        The helper takes them, if there is one now; level, a consumer that does not listen has seen enough; else they are
        read from the journal.
        """
        with self._changed:
            if end <= self._wanted:
                return
            is_level = self.progress.at >= self._wanted
            self._wanted = end
            if is_level:
                self._moved_at = monotonic()
            if is_level and not self._is_listening():
                self.progress.advance(end)
            else:
                self._changed.notify()
        if self.helper is not None:
            self.helper.ring(end)

    def wait_for_room(self, timeout: float) -> None:
        """Block until the next slice would be kept, for then nobody has to decode it again.

        One that had no room when the time was over is a laggard, and wants no slices until it has come level.
        """
        with self._changed:
            self._changed.wait_for(lambda: len(self._queue) < QUEUE or self._stopped, timeout)

    def halt(self) -> None:
        """Take no further slice, whatever is left."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        if self.helper is not None:
            self.helper.close()

    def join(self, timeout: float) -> None:
        """Wait for the slice that is being taken and close the consumer, within ``timeout`` seconds. After ``halt``.

        A consumer that can stall is closed first: only that makes it come back.
        """
        deadline = monotonic() + timeout
        steps = [self._join_thread, self._close]
        for step in steps if self._is_stalled is None else reversed(steps):
            step(remaining(deadline))

    def _join_thread(self, timeout: float) -> None:
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _close(self, timeout: float) -> None:
        try:
            self.consumer.close(timeout)
        except Exception:
            _logger.warning("otel_taskflow: closing %s failed", self.consumer.name, exc_info=True)

    def _work(self) -> None:
        while not self._stopped:
            self._follow()
            if self.is_helped:
                self._let_help()
        if self.helper is not None:
            self.helper.dismiss()

    def _follow(self) -> None:
        taken = 0
        try:
            while self._wait_for_events():
                if self.helper is not None and self.helper.notice(taken, self.lag):
                    self.is_helped = True
                    return
                piece = self._next_slice()
                if piece is not None and self._consume(piece):
                    self._advance(piece.last)
                taken = len(piece.events) if piece is not None else 0
        except Exception as error:  # noqa: BLE001 - the error boundary of reading; that of the consumer is in _consume
            self._boundary.caught(error)

    def _advance(self, seq: int) -> None:
        self.progress.advance(seq)
        self._moved_at = monotonic()

    def _let_help(self) -> None:
        with self._changed:
            self._queue.clear()
            self._changed.notify()
        try:
            if self.helper is not None and not self._stopped:
                self.helper.run(self._advance)
        except Exception as error:  # noqa: BLE001 - the error boundary of the helper: without it this thread goes on
            self._boundary.caught(error)
        finally:
            self.is_helped = False

    def _wait_for_events(self) -> bool:
        """Block until there is something to take; False when it has to end."""
        with self._changed:
            while not self._stopped:
                at = self.progress.at
                while self._queue and self._queue[0].last <= at:
                    self._queue.popleft()
                if self._queue or self._wanted > at:
                    return True
                self._is_laggard = False
                self._changed.wait()
        return False

    def _next_slice(self) -> JournalSlice | None:
        at = self.progress.at
        with self._changed:
            if self._queue and self._queue[0].first <= at + 1:
                self._changed.notify()
                return part_after(self._queue.popleft(), at)
        return self._read_from_journal(at)

    def _read_from_journal(self, at: int) -> JournalSlice | None:
        if self._reader.at != at:
            self._reader.move(at)
        piece = self._decoder.next_slice(self._header, self._reader)
        if piece is None:
            self._skip_to(self._queue[0].first - 1 if self._queue else self._wanted)
        return piece

    def _skip_to(self, seq: int) -> None:
        self._failed += max(0, seq - self.progress.at)
        self.progress.advance(max(seq, self.progress.at))

    def _consume(self, piece: JournalSlice) -> bool:
        """True if it was taken, or given up; False if the end comes first: then it is the next process's."""
        pause, tries = FIRST_PAUSE, 0
        while not self._stopped or tries == 0:
            try:
                self.consumer.consume(piece)
                self._trouble = None
                return True
            except Exception as error:  # noqa: BLE001 - the error boundary of consumers: nothing of theirs ends the thread
                tries += 1
                self._warn(error)
            if tries >= TRIES and not self._must_succeed:
                self._failed += len(piece.events)
                return True
            with self._changed:
                if not self._stopped:
                    self._changed.wait_for(lambda: self._stopped, pause)
            pause = min(pause * 2, LONGEST_PAUSE)
        return False

    def _warn(self, error: Exception) -> None:
        first, self._trouble = self._trouble is None, error
        if self._stopped:
            _logger.warning(
                "otel_taskflow: %s has not taken all, the rest stays in the journal: %s", self.consumer.name, error
            )
        elif first:
            _logger.warning("otel_taskflow: %s failed, will try again: %s", self.consumer.name, error, exc_info=error)


def _always() -> bool:
    return True
