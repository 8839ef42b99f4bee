"""``ObserverConsumer``: an observer as something that tails the journal, kept from harming anything and anybody."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

from otel_taskflow.consumers.breaker import CircuitBreaker
from otel_taskflow.consumers.lookup import NOWHERE, Lookup
from otel_taskflow.consumers.observer_events import Translator
from otel_taskflow.consumers.observer_offsets import ObserverOffsets
from otel_taskflow.consumers.observer_thread import AppLoop, ObserverThread
from otel_taskflow.consumers.precedence import Precedence
from otel_taskflow.errors import JournalError
from otel_taskflow.events import Event, LogEvent
from otel_taskflow.health import DEGRADED, OK, Figure, PartHealth
from otel_taskflow.observers import BatchObserver, TaskObserver
from otel_taskflow.observers.base import ObserverEvent, overrides, takes_batches
from otel_taskflow.ports import JournalSlice
from otel_taskflow.values.lines import one_line
from otel_taskflow.values.text import as_text, cut

_logger = logging.getLogger("otel_taskflow")

CALL_LIMIT = 30.0
FAILURES_IN_A_ROW = 5
PAUSE = 30.0
STALLED = 1.0
"""Seconds of a call from which on the end of the process does not wait for it."""
_MARGIN = 0.05
"""Seconds by which a call passes its limit before its thread, too, is held to hang in it."""
_TICK = 0.1
"""Seconds after which a wait looks whether it was asked to hurry."""
_CLOSE_SHARE = 0.3
"""Share of the time to close in that is left for the observer's own ``close``."""

LONGEST_ERROR = 300
"""Bytes of an error's text that health shows."""

_NOT_EXCEPTIONS = (asyncio.CancelledError, SystemExit, KeyboardInterrupt)


@dataclass(slots=True)
class ObserverCounts:
    """What became of the events for an observer, in events."""

    delivered: int = 0
    failed: int = 0
    """Events of calls that raised or passed the time limit."""
    skipped: int = 0
    """Events left out while the observer was paused or hung in a call."""


class ObserverConsumer:
    """Tells an observer what the journal says.

    The observer is called on a thread and event loop of its own, one call after the other. A call that raises or takes
    longer than ``call_limit`` seconds counts as failed and is logged once for each kind of error; after five failures
    in a row the observer is left alone for ``pause`` seconds. While a call hangs, events are skipped. Nothing raises.
    """

    def __init__(
        self,
        observer: TaskObserver,
        lookup: Lookup = NOWHERE,
        *,
        app_loop: AppLoop = lambda: None,
        offsets: ObserverOffsets | None = None,
        call_limit: float = CALL_LIMIT,
        pause: float = PAUSE,
    ) -> None:
        self.name = f"observer:{observer.name}"
        self.counts = ObserverCounts()
        self.precedence = Precedence()
        """Of dead processes' journals over this one's events."""
        self._observer = observer
        self._translator = Translator(lookup)
        self._offsets = offsets if observer.replay and offsets is not None and offsets.are_kept else None
        self._call_limit = call_limit
        self._breaker = CircuitBreaker(FAILURES_IN_A_ROW, pause)
        self._thread = ObserverThread(
            f"otel_taskflow-{self.name}", app_loop if observer.loop == "app" else lambda: None
        )
        self._takes_batches = takes_batches(observer)
        self._takes_lines, self._takes_states = overrides(observer, "on_log"), overrides(observer, "on_lifecycle")
        self._kinds_logged: set[str] = set()
        self._lock = threading.Lock()
        self._current: _Delivery | None = None
        self._is_started = False
        self._is_closed = False
        self._deadline: float | None = None
        self._told = 0
        self._last_error = ""

    @property
    def wants_replay(self) -> bool:
        """Whether the observer is to be told what a dead process had not told it."""
        return self._observer.replay

    def seen_of(self, journal_id: str) -> int:
        """Sequence number of the last event of a journal that the observer was offered; 0 if none."""
        return 0 if self._offsets is None else self._offsets.load(self._observer.name, journal_id)

    def health(self) -> PartHealth:
        """Whether its calls go well. Never raises."""
        counts, error = self.counts, self._last_error
        figures: dict[str, Figure] = {
            "delivered": counts.delivered,
            "failed": counts.failed,
            "left_out": counts.skipped,
            "last_error": error,
        }
        delivery = self._current
        if delivery is not None and delivery.is_given_up and not delivery.over.is_set():
            why = "it hangs in a call, and is told nothing meanwhile"
            return PartHealth(self.name, DEGRADED, why, "give what it waits for a time limit of its own", figures)
        if self._breaker.is_tripped:
            why = f"it failed {FAILURES_IN_A_ROW} times in a row and is left alone for {PAUSE:g} s each time: {error}"
            return PartHealth(
                self.name, DEGRADED, why, "see the log for the first failure of each kind", figures, is_told=True
            )
        return PartHealth(self.name, OK, figures=figures)

    def is_stalled(self) -> bool:
        """Whether a call does not come back, as far as can be told. Never raises."""
        delivery = self._current
        return delivery is not None and not delivery.over.is_set() and delivery.has_stalled

    def start(self) -> None:
        """Have the observer's ``startup`` called, without waiting for it. Done by the first slice otherwise."""
        with self._lock:
            self._ensure_started()

    def consume(self, piece: JournalSlice) -> None:
        """Tell the observer. Returns when it has been told, or when that was given up.

        Raises JournalError for a slice that the next process will tell: one of a dead process when closing, and the rest
        of one that closing cuts off, if the observer's place is kept.
        """
        if piece.live:
            self.precedence.wait_before(piece)
        with self._lock:
            if self._is_closed or not piece.live:
                self._leave_if_closing(piece)
            if self._is_closed:
                self.counts.skipped += len(piece.events)
                return
            self._ensure_started()
            wanted = [each for each in self._translator.translate(self._new(piece)) if self._is_wanted(each[1])]
            told_to = self._deliver(wanted) if wanted else None
            is_cut_off = told_to is not None
            self._save(piece, told_to if told_to is not None and self._leaves_the_rest else piece.last)
            if is_cut_off or not piece.live:
                self._leave_if_closing(piece)

    def close(self, timeout: float) -> None:
        """Let a delivery end, call the observer's ``close``, end its thread; all within ``timeout`` seconds."""
        end = monotonic() + timeout
        self._deadline = end - timeout * _CLOSE_SHARE
        self.precedence.end()
        with self._lock:
            if not self._is_closed and self._is_started and not self._close_observer(end):
                _logger.warning("otel_taskflow: %s did not close within %.1f s and is left behind", self.name, timeout)
            self._is_closed = True

    # The steps

    @property
    def _leaves_the_rest(self) -> bool:
        """Whether what is not told any more is not lost, but told by the next process."""
        return self._deadline is not None and self._offsets is not None

    def _leave_if_closing(self, piece: JournalSlice) -> None:
        if self._leaves_the_rest or (self._deadline is not None and not piece.live):
            raise JournalError(f"{self.name} is closing; the journal {piece.header.journal_id} is left for later")

    def _save(self, piece: JournalSlice, seq: int) -> None:
        """Keep the observer's place in the journal, if there is one to keep."""
        if self._offsets is not None and seq:
            self._offsets.save(self._observer.name, piece.header.journal_id, seq)

    def _new(self, piece: JournalSlice) -> Sequence[tuple[int, Event]]:
        """The events that were not told yet: a slice may begin with some of the one before."""
        if not piece.live:
            return piece.events
        told, self._told = self._told, max(self._told, piece.last)
        return piece.events if piece.first > told else [(seq, event) for seq, event in piece.events if seq > told]

    def _ensure_started(self) -> None:
        if not self._is_started:
            self._is_started = True
            self._submit([_Call("startup", self._observer.startup, 0)])

    def _is_wanted(self, event: ObserverEvent) -> bool:
        """What goes to a method that does nothing is no success of the observer's, and no call."""
        if isinstance(event, LogEvent):
            return self._takes_lines and self._observer.accepts(event.level)
        return self._takes_states

    def _deliver(self, wanted: Sequence[tuple[int, ObserverEvent]]) -> int | None:
        """Tell these. If that was given up half-way: the number of the last one whose call came back, 0 if none did."""
        if not self._wait_for_current():
            self.counts.skipped += 0 if self._leaves_the_rest else len(wanted)
            return 0
        delivery = self._submit(self._calls(wanted))
        return None if self._wait_for_current() else delivery.told_to

    def _calls(self, wanted: Sequence[tuple[int, ObserverEvent]]) -> list[_Call]:
        observer = self._observer
        if self._takes_batches and isinstance(observer, BatchObserver):
            on_batch, events = observer.on_batch, [event for _, event in wanted]
            return [_Call("on_batch", lambda: on_batch(events), len(events), wanted[-1][0])]
        return [self._call(seq, event) for seq, event in wanted]

    def _call(self, seq: int, event: ObserverEvent) -> _Call:
        observer = self._observer
        if isinstance(event, LogEvent):
            return _Call("on_log", lambda: observer.on_log(event), 1, seq)
        return _Call("on_lifecycle", lambda: observer.on_lifecycle(event), 1, seq)

    def _close_observer(self, end: float) -> bool:
        is_free = self._wait_for_current()
        self._deadline = end
        if is_free or self._wait_for_current():
            self._breaker.succeeded()
            self._submit([_Call("close", self._observer.close, 0)])
            is_free = self._wait_for_current()
        self._thread.stop()
        return is_free

    # One delivery at a time, on the observer's thread

    def _submit(self, calls: Sequence[_Call]) -> _Delivery:
        delivery = self._current = _Delivery(calls)
        self._thread.submit(lambda: self._work(delivery), delivery.over)
        return delivery

    def _wait_for_current(self) -> bool:
        """Wait until the observer's thread is free; False when it hangs in a call or time is up: the rest is left out."""
        delivery = self._current
        if delivery is None:
            return True
        while not delivery.over.wait(min(_TICK, delivery.patience(self._call_limit, self._deadline))):
            if delivery.patience(self._call_limit, self._deadline) <= 0:
                self._give_up(delivery)
                return delivery.over.is_set()
        self._current = None
        return True

    def _give_up(self, delivery: _Delivery) -> None:
        if not delivery.is_given_up:
            delivery.is_given_up = True
            self._failed(delivery.calls[delivery.at], TimeoutError("it did not come back in time"))
            rest = delivery.calls[delivery.at + 1 :]
            self.counts.skipped += 0 if self._leaves_the_rest else sum(call.events for call in rest)

    async def _work(self, delivery: _Delivery) -> None:
        for at, call in enumerate(delivery.calls):
            delivery.begin(at)
            if self._breaker.is_open:
                self.counts.skipped += call.events
            else:
                await self._make(call, delivery)
            if delivery.is_given_up:
                return

    async def _make(self, call: _Call, delivery: _Delivery) -> None:
        try:
            await self._thread.call(call.method, self._call_limit)
        except (Exception, *_NOT_EXCEPTIONS) as error:  # noqa: BLE001 - what user code raises is counted, not passed on
            if not delivery.is_given_up:
                self._failed(call, error)
        else:
            if not delivery.is_given_up:
                self._breaker.succeeded()
                self.counts.delivered += call.events

    def _failed(self, call: _Call, error: BaseException) -> None:
        self.counts.failed += call.events
        self._last_error = one_line(cut(f"{type(error).__name__} in {call.name}: {as_text(error)}", LONGEST_ERROR))
        kind = f"{call.name} {type(error).__qualname__}"
        if kind not in self._kinds_logged:
            self._kinds_logged.add(kind)
            _logger.warning("otel_taskflow: %s failed in %s; logged once", self.name, call.name, exc_info=error)
        if self._breaker.failed():
            _logger.warning("otel_taskflow: %s failed %d times in a row and is paused", self.name, FAILURES_IN_A_ROW)


@dataclass(frozen=True, slots=True)
class _Call:
    """One call of a method of the observer, how many events it is about, and the sequence number of the last of them."""

    name: str
    method: Callable[[], Any]
    events: int
    last: int = 0


class _Delivery:
    """Calls to make one after the other. Written by the observer's thread, watched by the one that waits."""

    def __init__(self, calls: Sequence[_Call]) -> None:
        self.calls = calls
        self.over = threading.Event()
        """Set when the thread is free again."""
        self.is_given_up = False
        self.at = 0
        self._begun_at = monotonic()

    def begin(self, at: int) -> None:
        """The call at this place begins."""
        self.at, self._begun_at = at, monotonic()

    @property
    def told_to(self) -> int:
        """Sequence number of the last event of the calls that came back; 0 if none did."""
        at = self.at
        return self.calls[at - 1].last if at else 0

    @property
    def has_stalled(self) -> bool:
        """Whether the call that runs has done so for long."""
        return self.is_given_up or monotonic() - self._begun_at > STALLED

    def patience(self, limit: float, deadline: float | None) -> float:
        """Seconds to go on waiting for the call that runs; those of a delivery that was given up are over."""
        now = monotonic()
        end = 0.0 if self.is_given_up else self._begun_at + limit + _MARGIN
        if deadline is not None:
            end = deadline if self.is_given_up else min(end, deadline)
        return max(0.0, end - now)


__all__ = ["ObserverConsumer", "ObserverCounts", "ObserverOffsets"]
