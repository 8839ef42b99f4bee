"""``Sender``: what a destination is sent by. A thread for each signal, so that traces do not wait for logs."""

from __future__ import annotations

import importlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from otel_taskflow.errors import ConfigurationError, SpoolError
from otel_taskflow.export.claims import Claim
from otel_taskflow.export.courier import CONTESTED, CONTESTED_REMEDY, Courier, Tuning
from otel_taskflow.export.destination import Destination
from otel_taskflow.export.election import Election
from otel_taskflow.export.volume import Volume, bytes_a_day, volume_of
from otel_taskflow.health import DEGRADED, OK, WORST_FIRST, Figure, PartHealth
from otel_taskflow.spool import Spool
from otel_taskflow.telemetry.otlp.requests import load_answers

LOSSES = ("rejected", "quarantined", "disk_budget", "age_limit", "unencodable", "before_export_failed")
"""Reasons in the spool's count of drops that mean: not delivered, and not by choice."""
TAKEOVER = 2.0
"""Seconds that the end of a process waits for another one to send: long enough to take its place if it ends too."""
_LOOK = 0.05
"""Seconds between two looks of a flush into the spool."""

_logger = logging.getLogger("otel_taskflow")


class Sender:
    """Empties one destination's queues, in one of the processes that share the spool.

    Args:
        folder: Where the locks ``<destination>.<signal>.lock`` live that elect the process; None for a spool nobody else can
            see.
        reports: Whether ``pending`` and ``dropped`` become metrics.

    Raises ConfigurationError if this process sends what has this name there to another receiver already.
    """

    def __init__(
        self,
        destination: Destination,
        spool: Spool,
        folder: Path | None,
        tuning: Tuning | None = None,
        *,
        reports: bool = False,
    ) -> None:
        # Here and not on a courier's thread: a fork meanwhile would leave a module locked for ever in the child.
        importlib.import_module("requests")
        load_answers()
        self.destination = destination
        self._spool = spool
        self._claims: dict[str, Claim] = {}
        self._elections: dict[str, Election] = {}
        for signal, endpoint in destination.endpoints.items():
            path = None if folder is None else folder / f"{destination.name}.{signal}.lock"
            self._claim(signal, path, endpoint.fingerprint, reports=reports)
            self._elections[signal] = Election(path, fingerprint=endpoint.fingerprint)
        self._couriers = [
            Courier(destination, signal, spool, election, tuning or Tuning())
            for signal, election in self._elections.items()
        ]
        self._delivered_all: bool | None = None
        self.abandoned: Mapping[str, int] = {}
        """Messages that were lost with this process's memory, by signal. Known when it has stopped."""
        self._volumes_before: dict[str, Volume] = {}

    def _claim(self, signal: str, path: Path | None, fingerprint: str, *, reports: bool) -> None:
        try:
            self._claims[signal] = Claim(path, fingerprint, reports=reports)
        except ConfigurationError:
            self.give_up()
            raise

    def give_up(self) -> None:
        """It will not send, or no more: another one may take the name for another receiver."""
        for claim in self._claims.values():
            claim.release()

    def start(self) -> None:
        """Begin to send."""
        try:
            self._volumes_before = {each.signal: self._volume(each.signal) for each in self._couriers}
        except Exception as error:
            _logger.debug("otel_taskflow: the spool's figures cannot be read at the start", exc_info=error)
        for courier in self._couriers:
            courier.start()

    def flush(self, timeout: float, lost_before: Sequence[int] | None = None) -> bool:
        """Send what waits now, trying until ``timeout`` seconds are over. True only if all of it was delivered.

        ``lost_before`` is what ``lost()`` said before the spool was filled; without it, losses count from now on. Where another
        process sends, wait until nothing waits any more.
        """
        return self._flush(time.monotonic() + timeout, lost_before, is_patient=True)

    def lost(self) -> Sequence[int] | None:
        """Losses so far, for a flush to compare with; None if the spool cannot be read."""
        try:
            return self._lost()
        except SpoolError:
            return None

    def stop(self, timeout: float) -> bool:
        """Flush, then end, in ``timeout`` seconds at most. Idempotent.

        Neither a destination that fails now is waited for, nor, for long, another process that sends. Returns whether all
        was delivered. What was not waits in the spool for the next start; with a spool in memory it is ``abandoned``.
        """
        self.give_up()
        if self._delivered_all is None:
            deadline = time.monotonic() + timeout
            patience = min(timeout, TAKEOVER) if self._is_lost else timeout
            try:
                self._delivered_all = self._flush(time.monotonic() + patience, None, is_patient=False)
            finally:
                self._end(deadline)
            if not self._delivered_all:
                self._leave_the_rest()
        return self._delivered_all

    def _leave_the_rest(self) -> None:
        name = self.destination.name
        if self._spool.is_kept:
            _logger.warning("otel_taskflow: not all was delivered to %s; what waits is sent at the next start", name)
            return
        self.abandoned = self.pending()
        _logger.warning(
            "otel_taskflow: not all was delivered to %s; it was kept in memory only, and %d spans and %d log records are lost",
            name,
            self.abandoned.get("traces", 0),
            self.abandoned.get("logs", 0),
        )

    @property
    def _is_lost(self) -> bool:
        """Whether another process sends something of it, as far as the last look told."""
        return any(each.is_lost for each in self._elections.values())

    @property
    def _is_contested(self) -> bool:
        return any(each.is_contested for each in self._elections.values())

    def reported(self) -> tuple[str, ...]:
        """The signals whose figures are this sender's to report: those that this process sends."""
        return tuple(signal for signal, claim in self._claims.items() if claim.is_reporter)

    def health(self) -> PartHealth:
        """How it goes, with figures for each signal: backlog, totals, losses, the last error and the next try."""
        conditions = [courier.condition for courier in self._couriers]
        worst = min(conditions, key=lambda condition: WORST_FIRST.index(condition.state))
        part = f"destination:{self.destination.name}"
        try:
            figures = self._figures()
        except Exception as error:  # noqa: BLE001 - a spool that cannot be read must not take the health page with it
            return PartHealth(part, DEGRADED, f"its figures cannot be read: {error}", "see the part spool")
        if self._is_contested and worst.state == OK:
            return PartHealth(part, DEGRADED, CONTESTED, CONTESTED_REMEDY, figures, is_told=True)
        return PartHealth(part, worst.state, worst.why, worst.remedy, figures, is_told=True)

    def pending(self) -> Mapping[str, int]:
        """Messages that wait, by signal. Raises SpoolError."""
        return {each.signal: self._waiting(each.signal) for each in self._couriers}

    def dropped(self) -> Mapping[tuple[str, str], int]:
        """Messages that were lost, by signal and reason. Raises SpoolError."""
        name = self.destination.name
        return {key[1:]: count for key, count in self._spool.dropped().items() if key[0] == name}

    def _flush(self, deadline: float, lost_before: Sequence[int] | None, *, is_patient: bool) -> bool:
        for courier in self._couriers:
            courier.begin_flush()
        try:
            lost_before = self._lost() if lost_before is None else lost_before
            flushes = [_Flush(courier, partial(self._waiting, courier.signal)) for courier in self._couriers]
            emptied = [each.wait(deadline, is_patient=is_patient) for each in flushes]
            return (
                not self._is_contested
                and all(emptied)
                and all(now <= before for before, now in zip(lost_before, self._lost(), strict=True))
            )
        except Exception:
            _logger.warning("otel_taskflow: flushing %s failed", self.destination.name, exc_info=True)
            return False
        finally:
            for courier in self._couriers:
                courier.end_flush()

    def _end(self, deadline: float) -> None:
        for courier in self._couriers:
            courier.halt()
        for courier in self._couriers:
            courier.join(deadline - time.monotonic())

    def _waiting(self, signal: str) -> int:
        return self._spool.backlog(self.destination.name, signal).messages

    def _lost(self) -> Sequence[int]:
        """Losses by signal and reason. A count falls when something was delivered after all that was evicted meanwhile."""
        dropped = self.dropped()
        return [dropped.get((signal, reason), 0) for signal in self.destination.signals for reason in LOSSES]

    def _figures(self) -> Mapping[str, Figure]:
        dropped = self.dropped()
        figures: dict[str, Figure] = {}
        for courier in self._couriers:
            lost = {reason: count for (signal, reason), count in dropped.items() if signal == courier.signal}
            figures.update((f"{courier.signal}.{name}", value) for name, value in self._figures_of(courier, lost))
        return figures

    def _figures_of(self, courier: Courier, lost: Mapping[str, int]) -> Iterator[tuple[str, Figure]]:
        backlog = self._spool.backlog(self.destination.name, courier.signal)
        totals = self._spool.delivered(self.destination.name, courier.signal)
        condition = courier.condition
        yield from zip(
            ("backlog", "backlog_bytes", "oldest"), (backlog.messages, backlog.bytes, backlog.oldest), strict=True
        )
        yield from zip(("delivered", "delivered_bytes"), (totals.delivered, totals.bytes), strict=True)
        yield from ((f"dropped.{reason}", count) for reason, count in lost.items())
        now = volume_of(backlog, totals, lost, time.time_ns())
        of_this_process = self._volumes_before.get(courier.signal)
        befores = [Volume(0, 0, totals.since), *([] if of_this_process is None else [of_this_process])]
        yield "bytes_a_day", bytes_a_day(now, reversed(befores))
        yield "state", condition.state
        yield "last_error", condition.why or None
        yield "next_try", condition.next_try
        yield "refusal", courier.notice or None
        yield "endpoint", self.destination.endpoints[courier.signal].url

    def _volume(self, signal: str) -> Volume:
        name = self.destination.name
        lost = {reason: count for (of, reason), count in self.dropped().items() if of == signal}
        return volume_of(self._spool.backlog(name, signal), self._spool.delivered(name, signal), lost, time.time_ns())


class _Flush:
    """What a flush waits for in one signal: as many settled as waited when it began, or nothing that waits."""

    def __init__(self, courier: Courier, waiting: Callable[[], int]) -> None:
        self._courier = courier
        self._waiting = waiting
        # In this order: what leaves the spool in between is then waited for too long, never too short.
        in_spool = waiting()
        self._target = courier.leaving + in_spool
        self._failed_before = courier.failed_tries
        self._look_at = time.monotonic() + _LOOK

    def wait(self, deadline: float, *, is_patient: bool) -> bool:
        while not self._is_over():
            left = deadline - time.monotonic()
            has_failed = self._courier.failed_tries > self._failed_before
            if left <= 0 or not self._courier.is_running or (has_failed and not is_patient):
                return self._waiting() == 0
            self._courier.wait_for_progress(min(left, _LOOK))
        return True

    def _is_over(self) -> bool:
        return self._courier.settled >= self._target or self._finds_nothing()

    def _finds_nothing(self) -> bool:
        """Look into the spool, which another process may have emptied; less often the longer a look takes."""
        begun = time.monotonic()
        if begun < self._look_at:
            return False
        is_empty = self._waiting() == 0
        ended = time.monotonic()
        self._look_at = ended + max(_LOOK, 5 * (ended - begun))
        return is_empty


__all__ = ["LOSSES", "Sender"]
