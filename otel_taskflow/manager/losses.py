"""What was lost on the way, by reason. Nothing is lost silently."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from otel_taskflow.consumers.observers import ObserverConsumer
from otel_taskflow.consumers.store import StoreConsumer
from otel_taskflow.consumers.tailer import Tailer
from otel_taskflow.events import TaskLogged
from otel_taskflow.journal.writer import JournalWriter
from otel_taskflow.manager.takeover import Takeover
from otel_taskflow.ports import Store
from otel_taskflow.stores.sqlite.store import SqliteStore
from otel_taskflow.telemetry import LogRecordConsumer
from otel_taskflow.values import Sanitizer

if TYPE_CHECKING:
    from otel_taskflow.manager.exporting import Exporting
    from otel_taskflow.manager.recovered import RecoveredSpans

Count = Callable[[], Mapping[str, int]]
"""Counts by reason."""

LINES, SPANS, EVENTS = "logs", "traces", "events"
"""What was lost: log lines, spans, or events of any kind."""


class Losses:
    """Adds up what the parts of one runtime have counted."""

    def __init__(self, *counts: tuple[str, Count]) -> None:
        self._counts = counts

    def by_signal(self) -> dict[tuple[str, str], int]:
        """What was lost since the start, by signal and reason.

        What can always happen is there from the start, with 0: the first loss is then an increase for those who read a counter.
        """
        total: Counter[tuple[str, str]] = Counter()
        for signal, count in self._counts:
            for reason, number in count().items():
                total[signal, reason] += number
        return dict(total)

    def by_reason(self) -> dict[str, int]:
        """The same by reason alone; those without a loss are left out."""
        total: Counter[str] = Counter()
        for (_, reason), number in self.by_signal().items():
            total[reason] += number
        return {reason: number for reason, number in total.items() if number}


def of_lines(writer: JournalWriter, sanitizer: Sanitizer) -> Iterator[tuple[str, Count]]:
    """Lines that never came into the journal. The sanitiser is older than the runtime: only what comes from now on counts."""
    before = sanitizer.counts["unwritable"]
    yield LINES, lambda: {"journal_budget": 0, "journal_unwritable": 0, **writer.dropped}
    yield LINES, lambda: {"line_unwritable": sanitizer.counts["unwritable"] - before}


def of_the_store(consumer: StoreConsumer, store: Store, takeover: Takeover | None) -> Iterator[tuple[str, Count]]:
    """Events that the store refused, those of dead processes too, and those that it had and has lost.

    What a damaged file held is not known: it counts as one, as long as no journal tells how many there were.
    """
    refused, line = consumer.quarantined, TaskLogged.__name__
    replaced: Callable[[], int] = (lambda: store.writer.replaced) if isinstance(store, SqliteStore) else lambda: 0
    missing: Callable[[], int] = (lambda: 0) if takeover is None else lambda: takeover.missing
    yield EVENTS, lambda: {"store_corrupt": consumer.unrestored + replaced() + missing()}
    yield LINES, lambda: {"store_refused": refused[line]}
    yield EVENTS, lambda: {"store_refused": sum(refused.values()) - refused[line]}


def of_reading(tailer: Tailer, takeover: Takeover | None) -> Iterator[tuple[str, Count]]:
    """Records that could not be read back, from a living journal or a dead one, and those that the store never saw."""
    yield EVENTS, lambda: {"unreadable": 0, **tailer.decoder.dropped, "torn": 0 if takeover is None else takeover.torn}
    yield EVENTS, lambda: {"store_skipped": tailer.skipped()[StoreConsumer.name]}


def of_observers(tailer: Tailer, observers: Sequence[ObserverConsumer]) -> Iterator[tuple[str, Count]]:
    """Events that an observer was not told, and those that it was told in vain."""
    names = {each.name for each in observers}
    yield EVENTS, lambda: {name: number for name, number in tailer.skipped().items() if name in names}
    for each in observers:
        yield EVENTS, partial(_of_observer, each)


def _of_observer(observer: ObserverConsumer) -> Mapping[str, int]:
    counts = observer.counts
    return {observer.name: counts.skipped, f"{observer.name}:failed": counts.failed}


def of_log_records(tailer: Tailer, records: LogRecordConsumer) -> Iterator[tuple[str, Count]]:
    """Events that did not become an OpenTelemetry log record. The consumer is older than the runtime."""
    before = records.failed
    yield LINES, lambda: {records.name: records.failed - before + tailer.skipped()[records.name]}


def of_exports(exporting: Exporting) -> Iterator[tuple[str, Count]]:
    """Spans and log records that were kept in memory only, and had not been delivered when the manager stopped."""
    yield SPANS, lambda: {"memory_only": exporting.abandoned()[SPANS]}
    yield LINES, lambda: {"memory_only": exporting.abandoned()[LINES]}


def of_recovered_spans(recovered: RecoveredSpans) -> Iterator[tuple[str, Count]]:
    """Spans of attempts whose process died that ``recovery_exporter=`` did not take."""
    yield EVENTS, lambda: {"recovery_exporter": recovered.failed}
