"""One thread that carries one signal to one destination: take a batch, send it, do what the answer says, begin anew."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import NamedTuple

from otel_taskflow.export.answers import Delivered, Hold, Retry, Split, Verdict, judge
from otel_taskflow.export.batches import BatchLimits, Piece, Pieces, assemble, size_of
from otel_taskflow.export.destination import Destination
from otel_taskflow.export.election import Election
from otel_taskflow.export.pacing import Pacing
from otel_taskflow.export.transport import Transport, Unreachable
from otel_taskflow.health import DEGRADED, FAILED, OK
from otel_taskflow.spool import Spool
from otel_taskflow.telemetry.quiet import quiet

POLL = 1.0
"""Seconds between two looks into an empty queue: other processes write too, and cannot wake us."""
FULL_POLL = 0.1
"""Seconds between two looks whether a batch is full."""
EXPIRY = 60.0
"""Seconds between two looks for what is too old."""
SILENCE = 60.0
"""Seconds without another line in the log about refused records: a server may give a reason for each."""
DOUBT = 100
"""Records refused one after the other, none taken between, from which on it is the destination that is doubted."""
SMALLEST_BATCH = 64 * 1024
"""Bytes below which batches do not shrink, whatever a destination finds too large."""

CONTESTED = "a process with another endpoint or other headers sends what has this name, also what this one exports"
CONTESTED_REMEDY = (
    'give one of the two another name, with OTLPExporter(name="..."), or another folder, with OTEL_TASKFLOW_DIR; while a '
    "deployment changes the endpoint or a key this is over when the last old process has ended"
)

_logger = logging.getLogger("otel_taskflow")


@dataclass(frozen=True)
class Tuning:
    """What tests set to other values."""

    pacing: Pacing = field(default_factory=Pacing)
    batches: BatchLimits = field(default_factory=BatchLimits)


class Condition(NamedTuple):
    """How it goes; replaced as a whole, so that any thread may read it."""

    state: str = OK
    why: str = ""
    remedy: str = ""
    next_try: int | None = None
    """Unix nanoseconds."""


class Courier:
    """Sends one signal while its process is the elected one. ``condition`` says how that goes.

    Attributes:
        notice: The last text of a server about records it did not take, or about none.
        settled: Records dealt with: delivered, refused or in quarantine.
        leaving: The same, with those that are being written down now: who does not find them in the spool counts them here.
        failed_tries: Requests after which the records wait on.
    """

    def __init__(self, destination: Destination, signal: str, spool: Spool, election: Election, tuning: Tuning) -> None:
        self.signal = signal
        self.condition = Condition()
        self.notice = ""
        self.settled = self.leaving = 0
        self.failed_tries = 0
        self._name = destination.name
        self._endpoint = destination.endpoints[signal]
        self._delay = destination.schedule_delay
        self._spool = spool
        self._election = election
        self._pacing = tuning.pacing
        self._limits = tuning.batches
        self._pieces = Pieces()
        self._changed = threading.Condition()
        self._news: set[str] = set()
        self._flushers = 0
        self._stopped = False
        self._seen_at: float | None = None
        self._expire_at = 0.0
        self._say_at = 0.0
        self._failures = 0
        self._refused = 0
        self._doubted: int | None = None
        self._is_contested = False
        self._is_lockless = False
        self._forget_me: Callable[[], None] | None = None
        self._thread = threading.Thread(
            target=self._work, name=f"otel_taskflow-{destination.name}-{signal}", daemon=True
        )

    def start(self) -> None:
        """Begin."""
        self._forget_me = self._spool.on_write(lambda: self._tell("write"))
        self._election.enter()
        self._thread.start()

    def halt(self) -> None:
        """Send nothing more than what is on its way."""
        if self._forget_me is not None:
            self._forget_me()
            self._forget_me = None
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def join(self, timeout: float) -> None:
        """Wait for what is on its way, so long at most; an answer that comes later still counts."""
        if self._thread.is_alive():
            self._thread.join(max(0.0, timeout))

    @property
    def is_running(self) -> bool:
        """Whether it sends, or would if there were anything."""
        return self._thread.is_alive() and not self._stopped

    def begin_flush(self) -> None:
        """Gather no longer, and try at once what has failed, unless the server asked for a pause."""
        with self._changed:
            self._flushers += 1
            self._failures = 0
        self._tell("flush")

    def end_flush(self) -> None:
        """Take the time again that it takes."""
        with self._changed:
            self._flushers -= 1

    def wait_for_progress(self, timeout: float) -> None:
        """Until something was settled or has failed, so long at most."""
        with self._changed:
            before = (self.settled, self.failed_tries)
            self._changed.wait_for(lambda: (self.settled, self.failed_tries) != before or self._stopped, timeout)

    def _tell(self, news: str) -> None:
        with self._changed:
            self._news.add(news)
            self._changed.notify_all()

    def _wait(self, seconds: float, *news: str) -> None:
        """Sleep until the time is over, one of these news comes, or this is to end."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or not self._news.isdisjoint(news), seconds)
            self._news.difference_update(news)

    def _work(self) -> None:
        try:
            with quiet(), closing(Transport(self._endpoint)) as transport:
                while not self._stopped:
                    self._step(transport)
        finally:
            self._election.leave()

    def _step(self, transport: Transport) -> None:
        try:
            if not self._is_elected():
                self._mind(is_contested=self._election.is_contested)
                self._wait(self._election.patience, "flush")
                return
            self._expire()
            if self._pieces or self._take():
                self._follow(self._pieces.next, self._ask(transport, self._pieces.next))
        except Exception as error:  # noqa: BLE001 - the error boundary of this thread: whatever fails, the records wait
            if not self._stopped:
                self._stumble(error)

    def _is_elected(self) -> bool:
        """Whether to send. Raises OSError if that cannot be found out; when it can again, all is well again."""
        has_failed, self._is_lockless = self._is_lockless, True
        is_won = self._election.is_won()
        self._is_lockless = False
        if has_failed:
            self._answers()
        return is_won

    def _mind(self, *, is_contested: bool) -> None:
        """Say it once that our records go where we did not mean them to."""
        if is_contested and not self._is_contested:
            _logger.error("otel_taskflow: %s for %s: %s; %s", self.signal, self._name, CONTESTED, CONTESTED_REMEDY)
        self._is_contested = is_contested

    def _take(self) -> bool:
        """Put the next batch into our hands, if there is one and it is time."""
        if not self._is_due():
            return False
        batch = self._spool.take(self._name, self.signal, *self._limits)
        if batch:
            self._pieces.add(batch)
        return bool(batch)

    def _expire(self) -> None:
        if time.monotonic() >= self._expire_at:
            self._expire_at = time.monotonic() + EXPIRY
            self._spool.expire(time.time_ns())

    def _is_due(self) -> bool:
        """Whether a batch is full, has waited long enough or is asked for. If not, wait a while."""
        backlog = self._spool.backlog(self._name, self.signal)
        if not backlog.messages:
            self._seen_at = None
            self._wait(POLL, "write", "flush")
            return False
        now = time.monotonic()
        self._seen_at = now if self._seen_at is None else self._seen_at
        left = self._seen_at + self._delay - now
        if left > 0 and not self._flushers and not self._limits.are_reached(backlog.messages, backlog.bytes):
            self._wait(min(left, FULL_POLL), "flush")
            return False
        self._seen_at = None
        return True

    def _ask(self, transport: Transport, piece: Piece) -> Verdict:
        try:
            status, headers, body = transport.post(assemble(piece))
        except Unreachable as error:
            return Retry(str(error))
        verdict = judge(status, headers, body, self.signal, time.time_ns())
        if isinstance(verdict, Delivered):
            return verdict._replace(message=self._endpoint.redacted(verdict.message))
        return verdict._replace(why=self._endpoint.redacted(verdict.why))

    def _follow(self, piece: Piece, verdict: Verdict) -> None:
        if isinstance(verdict, Delivered):
            self._delivered(piece, verdict)
        elif isinstance(verdict, Retry):
            remedy = "nothing is lost and it is tried again; see that what listens at the endpoint is up, or correct the endpoint"
            self._try_later(DEGRADED, verdict.why, remedy, verdict.after)
        elif isinstance(verdict, Hold):
            self._try_later(FAILED, verdict.why, verdict.remedy)
        elif len(piece) > 1:
            self._split(piece, verdict)
        else:
            self._refuse(piece, verdict)

    def _delivered(self, piece: Piece, verdict: Delivered) -> None:
        rejected = min(verdict.rejected, len(piece))
        self._notice(verdict.message, rejected)
        self._refused = 0
        ids = [each.id for each in piece]
        dropped = ("rejected", rejected) if rejected else None
        self._settle(len(piece), lambda: self._spool.done(self._name, self.signal, ids, dropped=dropped))

    def _split(self, piece: Piece, verdict: Split) -> None:
        if verdict.status == 413:
            self._limits = self._limits._replace(bytes=max(SMALLEST_BATCH, size_of(piece) // 2))
        self._pieces.split()
        self._answers()

    def _refuse(self, piece: Piece, verdict: Split) -> None:
        """A single record is refused: into quarantine with it, unless this destination seems to refuse everything."""
        record = piece[0].id
        if self._refused >= DOUBT and self._doubted != record:
            self._doubted = record
            remedy = (
                "check that its endpoint takes OTLP: it has refused every record for a while, so they go slowly now"
            )
            self._try_later(FAILED, verdict.why, remedy)
            return
        self._refused += 1
        self._notice(verdict.why, 1)
        refusal = (record, verdict.status, verdict.why, time.time_ns())
        self._settle(1, lambda: self._spool.quarantine(self._name, self.signal, *refusal))

    def _settle(self, count: int, record: Callable[[], None]) -> None:
        """Write down what the answer means, however often that fails: the records must not be sent again for it."""
        self.leaving = self.settled + count
        while not self._is_recorded(record):
            if self._stopped:
                return
        self._pieces.settle()
        self._answers()
        with self._changed:
            self.settled += count
            self._changed.notify_all()

    def _is_recorded(self, record: Callable[[], None]) -> bool:
        try:
            record()
        except Exception as error:  # noqa: BLE001 - the error boundary of this thread
            self._stumble(error)
            return False
        return True

    def _answers(self) -> None:
        """The destination deals with our records: all is well, unless it does nothing but refuse them."""
        if self._refused < DOUBT:
            self._failures = 0
            self._becomes(Condition())

    def _stumble(self, error: Exception) -> None:
        remedy = "nothing is lost and it is tried again; the log has the details"
        if self.condition.state == OK:
            _logger.warning("otel_taskflow: sending %s to %s failed", self.signal, self._name, exc_info=error)
        self._try_later(DEGRADED, f"{type(error).__name__}: {error}", remedy)

    def _try_later(self, state: str, why: str, remedy: str, after: float | None = None) -> None:
        """Wait as the server asked, or as the pacing says; then a flush wakes us."""
        self._failures += 1
        pause = after or self._pacing.pause(self._failures)
        self._becomes(Condition(state, f"{self._endpoint.url}: {why}", remedy, time.time_ns() + int(pause * 1e9)))
        with self._changed:
            self.failed_tries += 1
            self._changed.notify_all()
        self._wait(pause, *(() if after else ("flush",)))

    def _becomes(self, condition: Condition) -> None:
        """Note how it goes; say so in the log when that is another state than before."""
        before, self.condition = self.condition, condition
        if before.state == condition.state:
            return
        if condition.state == OK:
            _logger.info("otel_taskflow: %s go to %s again", self.signal, self._name)
        else:
            _logger.warning(
                "otel_taskflow: %s cannot be sent to %s: %s; %s",
                self.signal,
                self._name,
                condition.why,
                condition.remedy,
            )

    def _notice(self, text: str, records: int) -> None:
        """Keep what a server said about records; say it in the log when it is new, and not all the time."""
        if not text and not records:
            return
        is_new, self.notice = text != self.notice, text or "it gave no reason"
        if is_new and time.monotonic() >= self._say_at:
            self._say_at = time.monotonic() + SILENCE
            what = f"refused {records} of the" if records else "says about"
            _logger.warning("otel_taskflow: %s %s %s sent to it: %s", self._name, what, self.signal, self.notice)


__all__ = ["Condition", "Courier", "Tuning"]
