"""The tailer: reads and decodes each event of this process once and hands slices to the consumers."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from time import monotonic

from otel_taskflow.consumers.boundary import Boundary
from otel_taskflow.consumers.progress import Progress, remaining
from otel_taskflow.consumers.slices import SLICE, Decoder, part_until
from otel_taskflow.consumers.thread import ConsumerThread, Helper
from otel_taskflow.events import Event
from otel_taskflow.health import PartHealth
from otel_taskflow.journal.reader import LiveReader
from otel_taskflow.journal.writer import JournalWriter
from otel_taskflow.ports import Consumer, JournalSlice

GATHER = 0.05
"""Seconds before reading when there is little to read, so that one slice and one commit carry what comes together.

A reader that wants to see its writes cuts it short (``hurry``).
"""
PATIENCE = 0.1
"""Seconds that the tailer waits for a consumer that has enough to do; then it is on its own until it is level again."""
END = 5.0
"""Seconds that the consumers have in all, at the end, to take what there is and to close."""
CLOSING = 1.5
"""Seconds of these that are kept for closing, however much there is to take."""
STALLED_END = 0.5
"""Seconds of these for the ones that are stalled, all together."""
HELPER_END = 3.0
"""Seconds that a consumer with a helper has in any case: more than the helper takes to give back what it has."""
LEAST_END = 0.1
"""Seconds that each of the others has in any case."""
_LOOK = 0.1
"""Seconds after which a wait looks whether who is waited for is stalled."""
LIVE_LAG = 500_000
"""Events that a consumer beside the store may be behind before it is skipped forward."""

SHARE_OF_OTHERS = 0.5
"""Of the journal's budget, what may be kept for them: a slow observer must not bring it to where everybody loses lines."""


class Tailer:
    """One thread for the journal, one for each consumer. ``store`` is the progress that readers wait for."""

    def __init__(
        self,
        writer: JournalWriter,
        decode_step: Callable[[Event], Event] = lambda event: event,
        decoder: Decoder | None = None,
    ) -> None:
        self._writer = writer
        self.decoder = decoder or Decoder(decode_step)
        self._reader = LiveReader(writer)
        self._consumers: list[ConsumerThread] = []
        self._bell: SimpleQueue[None] = SimpleQueue()
        """Rung by whoever writes a record, so by signal handlers and destructors, too, on whatever thread: hence none of
        ``threading``, whose locks they would find taken."""
        self._hurried = threading.Event()
        self._stopped = False
        self._handed_on = 0
        self._awaited: list[int] = []
        """Events up to which somebody waits for everybody."""
        self._boundary = Boundary("the tailer of the journal")
        self._thread = threading.Thread(target=self._work, name="otel_taskflow-tailer", daemon=True)
        self.store = Progress()

    def add(
        self, consumer: Consumer, *, is_store: bool = False, must_succeed: bool = False, helper: Helper | None = None
    ) -> None:
        """Let a consumer follow, from the first event on. Before ``start`` only.

        ``must_succeed``: a slice that fails is offered again for as long as the journal keeps it.
        """
        thread = ConsumerThread(
            consumer,
            self._writer,
            self.decoder,
            start=0,
            max_lag=None if is_store else LIVE_LAG,
            must_succeed=is_store or must_succeed,
        )
        thread.helper = helper
        if is_store:
            self.store = thread.progress
        self._consumers.append(thread)

    def start(self) -> None:
        """Begin."""
        self._writer.ring = partial(self._bell.put, None)
        for consumer in self._consumers:
            consumer.start()
        self._thread.start()

    def _work(self) -> None:
        while not self._stopped:
            self._step()

    def _step(self) -> None:
        try:
            if not self._hand_on():
                self._sleep()
        except Exception as error:  # noqa: BLE001 - the error boundary of the tailer, without which nothing arrives anywhere
            self._reader.move(self._handed_on)
            self._boundary.caught(error)

    def _hand_on(self) -> bool:
        """Take the next slice to everybody; False if there is none."""
        after, end = (
            self._reader.at,
            self._writer.end,
        )  # before asking who listens: who begins to now gets what comes from here on
        here = [consumer for consumer in self._consumers if consumer.wants_slices]
        for consumer in self._consumers:
            if consumer not in here:
                consumer.pass_by(end)
        if not (self._hand_to(here) if here else self._pass_by(end)):
            return False
        self._handed_on = self._reader.at
        self._tend_segments()
        if not here or self._handed_on - after < SLICE:
            self._gather()
        return True

    def _hand_to(self, consumers: Sequence[ConsumerThread]) -> bool:
        for consumer in consumers:
            consumer.wait_for_room(PATIENCE)
        piece = self.decoder.next_slice(self._writer.header, self._reader)
        if piece is None:
            return False
        for consumer in consumers:
            consumer.offer(piece)
        return True

    def _pass_by(self, end: int) -> bool:
        """Nobody here wants to see the events."""
        if end == self._reader.at:
            return False
        self._reader.move(end)
        return True

    def _tend_segments(self) -> None:
        self._writer.prepare()
        self._writer.reclaim(min((each for each in map(self._needed_by, self._consumers)), default=self._reader.at))
        stored = (each.progress.at for each in self._consumers if each.max_lag is None)
        self._writer.reclaim(min(stored, default=self._reader.at), int(self._writer.budget * SHARE_OF_OTHERS))

    def _needed_by(self, consumer: ConsumerThread) -> int:
        at = consumer.progress.at
        return at if consumer.max_lag is None else max(at, self._reader.at - consumer.max_lag)

    def _sleep(self) -> None:
        """Wait for the bell. The flag goes up before the last look, so that no record slips in between."""
        self._tend_segments()
        self._writer.is_tailer_asleep = True
        if self._writer.end > self._reader.at:
            self._writer.is_tailer_asleep = False
        elif not self._stopped:
            with suppress(Empty):
                self._bell.get(timeout=1.0 if len(self._writer.segments) > 1 or self._writer.is_degraded else None)
            self._gather()

    def _gather(self) -> None:
        self._hurried.wait(GATHER)
        self._hurried.clear()

    # Waiting

    def hurry(self) -> None:
        """Somebody waits: read now what there is."""
        self._hurried.set()

    async def reach(self, seq: int, timeout: float) -> int:
        """Wait until the store has the event ``seq``, at most ``timeout`` seconds; return how many are missing."""
        if self.store.at < seq:
            self.hurry()
            await self.store.reached(seq, timeout)
        return max(0, seq - self.store.at)

    def wait_all(self, seq: int, timeout: float) -> bool:
        """Block until every consumer has taken the event ``seq``; False when ``timeout`` seconds passed first."""
        self._awaited.append(seq)
        self.hurry()
        deadline = monotonic() + timeout
        try:
            return all(consumer.progress.wait(seq, remaining(deadline)) for consumer in self._consumers)
        finally:
            self._awaited.remove(seq)

    @property
    def is_awaited(self) -> bool:
        """Whether somebody blocks until every consumer has taken something."""
        return bool(self._awaited)

    def earlier(self, after: int, upto: int) -> Iterator[JournalSlice]:
        """Once more what the journal still has of the events behind ``after``, those behind ``upto`` left out."""
        reader = LiveReader(self._writer, after)
        while reader.at < upto and (piece := self.decoder.next_slice(self._writer.header, reader)) is not None:
            yield part_until(piece, upto)

    def flush(self, timeout: float = END) -> bool:
        """Block until every consumer has taken everything written so far; False when the time was too short.

        The store comes first. One that is stalled is not waited for; what it has not taken stays in the journal.
        """
        seq = self._writer.end
        self._awaited.append(seq)
        self.hurry()
        deadline = monotonic() + timeout
        try:
            reached = [_has_reached(seq, consumer, deadline) for consumer in self._consumers]
            return all(reached)
        finally:
            self._awaited.remove(seq)

    @property
    def consumed(self) -> int:
        """Sequence number of the last event that every consumer has taken."""
        return min((each.progress.at for each in self._consumers), default=0)

    def lag(self) -> dict[str, int]:
        """Events that each consumer is behind."""
        return {each.consumer.name: each.lag for each in self._consumers}

    def health(self) -> Sequence[PartHealth]:
        """How each consumer is. Never raises."""
        return [each.health() for each in self._consumers]

    def trouble_of(self, consumer: Consumer) -> Exception | None:
        """What the last try of this consumer raised; None if it went well."""
        return next((each.trouble for each in self._consumers if each.consumer is consumer), None)

    def skipped(self) -> Counter[str]:
        """Events that a consumer never got: it failed three times, or was too far behind."""
        return Counter({each.consumer.name: each.skipped for each in self._consumers if each.skipped})

    def stop(self, timeout: float) -> None:
        """End all threads and close the consumers, in ``timeout`` seconds, or little more.

        Call ``flush`` before, or what is left stays in the journal.
        """
        deadline = monotonic() + timeout
        self._stopped = True
        self._bell.put(None)
        self.hurry()
        if self._thread.is_alive():
            self._thread.join(timeout)
        for consumer in self._consumers:
            consumer.halt()
        stalled_deadline = min(deadline, monotonic() + STALLED_END)
        for consumer in self._consumers:
            least = LEAST_END if consumer.helper is None else HELPER_END
            consumer.join(max(least, remaining(stalled_deadline if consumer.is_stalled else deadline)))


def _has_reached(seq: int, consumer: ConsumerThread, deadline: float) -> bool:
    """Wait until the consumer has taken this event, as long as there is time and it is not stalled."""
    while not consumer.progress.wait(seq, min(_LOOK, remaining(deadline))):
        if consumer.is_stalled or remaining(deadline) <= 0:
            return False
    return True
