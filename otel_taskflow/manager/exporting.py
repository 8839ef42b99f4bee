"""Durable export in a runtime: the spool, the outbox that fills it, the senders that empty it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import monotonic

from otel_taskflow.consumers.lookup import Lookup
from otel_taskflow.consumers.outbox import Outbox
from otel_taskflow.consumers.outbox_routes import routes_of
from otel_taskflow.errors import ConfigurationError
from otel_taskflow.export.sender import LOSSES, Sender
from otel_taskflow.health import PartHealth
from otel_taskflow.manager.signals import ExportPlan
from otel_taskflow.setup.buffer import spool_path
from otel_taskflow.spool import Spool
from otel_taskflow.telemetry.bridge import is_bridged
from otel_taskflow.telemetry.private import limits_of_environment

FLUSH_TIMEOUT = 1.5
"""Seconds that the end of a process waits for deliveries."""


class Exporting:
    """Spool, outbox and senders of one runtime. Opened before the tailer starts, stopped after it has ended."""

    def __init__(self, plan: ExportPlan, root: Path | None, lookup: Lookup, *, syncs_commits: bool = False) -> None:
        path = None if root is None else spool_path(root)
        self.spool = Spool(
            path,
            {each.name: each.limits for each in plan.destinations},
            syncs_commits=syncs_commits,
        )
        self.outbox = Outbox(
            self.spool,
            routes_of(plan.destinations, exports_spans=plan.exports_spans),
            lookup,
            limits=limits_of_environment(),
            is_bridged=is_bridged,
        )
        folder = None if path is None else path.parent
        self._senders = _senders_of(plan, self.spool, folder)

    def open(self) -> None:
        """Make the spool usable. Raises SpoolError."""
        try:
            self.spool.open()
        except BaseException:
            _give_up(self._senders)
            raise

    def start(self) -> None:
        """Begin to send."""
        for sender in self._senders:
            sender.start()

    def flush(self, timeout: float, fill: Callable[[], bool]) -> bool:
        """Wait until what ``fill`` has brought into the spool was delivered; it says whether that is all.

        False if ``timeout`` seconds passed first, or some was not.
        """
        deadline = monotonic() + timeout
        lost_before = [sender.lost() for sender in self._senders]
        is_filled = fill()
        delivered = [
            sender.flush(max(0.0, deadline - monotonic()), lost)
            for sender, lost in zip(self._senders, lost_before, strict=True)
        ]
        return is_filled and all(delivered)

    def stop(self, timeout: float = FLUSH_TIMEOUT) -> None:
        """Deliver what can be delivered in time; the rest waits on disk, if the spool is there. Close everything."""
        deadline = monotonic() + timeout
        for sender in self._senders:
            sender.stop(max(0.1, deadline - monotonic()))
        self.spool.close()

    def pending(self) -> Mapping[tuple[str, str], int]:
        """What waits, by destination and signal, where this process sends. Raises SpoolError.

        The spool is the host's: if each of its processes reported it, sums would be wrong.
        """
        return {
            (sender.destination.name, signal): number
            for sender in self._senders
            for signal in sender.reported()
            for number in [sender.pending()[signal]]
        }

    def dropped(self) -> Mapping[tuple[str, str, str], int]:
        """What was lost, by destination, signal and reason, where this process sends. Raises SpoolError.

        What can always happen is there from the start, with 0: the first loss is then an increase for those who read a counter.
        """
        counts: dict[tuple[str, str, str], int] = {}
        for sender in self._senders:
            name, signals = sender.destination.name, sender.reported()
            counts.update(((name, signal, reason), 0) for signal in signals for reason in LOSSES)
            counts.update(((name, *key), number) for key, number in sender.dropped().items() if key[0] in signals)
        return counts

    def abandoned(self) -> Counter[str]:
        """What was lost with the memory of this process when the senders stopped, by signal."""
        lost: Counter[str] = Counter()
        for sender in self._senders:
            lost.update(sender.abandoned)
        return lost

    def health(self) -> Sequence[PartHealth]:
        """How spool and destinations are."""
        return [self.spool.health(), *(sender.health() for sender in self._senders)]


def _senders_of(plan: ExportPlan, spool: Spool, folder: Path | None) -> list[Sender]:
    """Raises ConfigurationError if something else in this process sends to another receiver under one of the names."""
    senders: list[Sender] = []
    try:
        for each in plan.destinations:
            senders.append(Sender(each, spool, folder, reports=True))  # noqa: PERF401 - those made so far are given up
    except ConfigurationError:
        _give_up(senders)
        raise
    return senders


def _give_up(senders: Sequence[Sender]) -> None:
    for sender in senders:
        sender.give_up()
