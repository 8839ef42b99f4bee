"""Metrics of tasks: one histogram record an attempt, all else plain integers that are read when a reader asks.

An instrument call of the SDK costs 14 us, an addition here a fraction of one. No task id and no extra is ever a metric's
attribute.
"""

from __future__ import annotations

import os
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from opentelemetry import metrics
from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Histogram, Observation

from otel_taskflow.events import AttemptEnded
from otel_taskflow.model import AttemptOutcome
from otel_taskflow.ports import Watched
from otel_taskflow.telemetry import semconv
from otel_taskflow.telemetry.describe import error_type
from otel_taskflow.telemetry.guard import Mishaps, clean
from otel_taskflow.version import __version__

BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
"""Seconds. The convention's own end at 10 s, where tasks only begin."""


_Read = Callable[[Watched], Mapping[tuple[str, ...], int]]
"""Takes figures out of what one manager has, by key."""
_Observe = Callable[[CallbackOptions], Iterable[Observation]]


class Metrics:
    """What one manager reports. The instruments and counts belong to the provider: managers with the same one add up."""

    def __init__(self, provider: Any, mishaps: Mishaps) -> None:
        self._provider = provider
        self._mishaps = mishaps
        self._instruments: _Instruments | None = None

    def sent(self, name: str) -> None:
        """A task was added."""
        self._add("sent", name)

    def started(self, name: str) -> None:
        """An attempt began."""
        self._add("started", name)

    def ended(self, name: str, ended: AttemptEnded, queue_wait: int, context: Context) -> None:
        """An attempt ended; ``context`` holds its span, for the exemplar."""
        try:
            instruments = self._get()
            instruments.ended(name, ended.outcome, queue_wait)
            instruments.record(name, ended, context)
        except Exception as error:  # noqa: BLE001 - a meter provider of the app may raise anything
            self._mishaps.note("record a metric", error)

    def watch(self, watched: Watched) -> Callable[[], None]:
        """Report these figures until the returned function is called."""
        try:
            instruments = self._get()
            instruments.watch(watched, self._mishaps)
        except Exception as error:  # noqa: BLE001 - a meter provider of the app may raise anything
            self._mishaps.note("watch a figure", error)
            return lambda: None
        return partial(instruments.unwatch, watched)

    def _add(self, what: str, name: str) -> None:
        try:
            self._get().add(what, name)
        except Exception as error:  # noqa: BLE001 - a meter provider of the app may raise anything
            self._mishaps.note("count", error)

    def _get(self) -> _Instruments:
        if self._instruments is None:
            self._instruments = _instruments_of(self._provider)
        return self._instruments


class _Instruments:
    """The instruments of one meter provider and the integers behind them, by task name."""

    def __init__(self, provider: Any) -> None:
        self.make_lock()
        self._counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._wait: Counter[str] = Counter()
        self._process_attributes: dict[str, dict[str, str]] = {}
        self._watched: list[tuple[Watched, Mishaps]] = []
        self._dropped: Counter[tuple[str, str]] = Counter()
        """The last figures of those that are not watched any more: a counter does not go down."""
        self._export_dropped: Counter[tuple[str, ...]] = Counter()
        """The highest figures so far. What was evicted while it was being sent and arrives is taken off the spool's."""
        meter = metrics.get_meter(semconv.SCOPE, __version__, provider, schema_url=semconv.SCHEMA_URL)
        self._duration = _duration_of(meter)
        self._create(meter)

    def make_lock(self) -> None:
        self._lock = threading.Lock()

    def _create(self, meter: metrics.Meter) -> None:
        counters = (
            (semconv.METRIC_SENT, "sent", "{message}", "Tasks that were added."),
            (semconv.METRIC_CONSUMED, "started", "{message}", "Attempts that were started."),
            (semconv.METRIC_RETRIES, "retrying", "{retry}", "Failed attempts that were followed by another."),
        )
        for name, what, unit, description in counters:
            meter.create_observable_counter(name, [self._reader(what)], unit=unit, description=description)
        meter.create_observable_counter(
            semconv.METRIC_QUEUE_WAIT,
            [self._observe_wait],
            unit="s",
            description="Time that attempts waited for a free thread or slot, added up.",
        )
        meter.create_observable_up_down_counter(
            semconv.METRIC_ACTIVE, [self._observe_active], unit="{attempt}", description="Attempts that run now."
        )
        self._create_watched(meter)

    def _create_watched(self, meter: metrics.Meter) -> None:
        gauges: tuple[tuple[str, _Read, Sequence[str], str, str], ...] = (
            (
                semconv.METRIC_QUEUE_DEPTH,
                lambda watched: {(): watched.queue_depth()},
                (),
                "{attempt}",
                "Attempts that wait for a free thread or slot.",
            ),
            (
                semconv.METRIC_JOURNAL_LAG,
                lambda watched: {(consumer,): lag for consumer, lag in watched.journal_lag().items()},
                (semconv.CONSUMER,),
                "{event}",
                "Events that are in the journal and that a consumer has not taken yet.",
            ),
            (
                semconv.METRIC_EXPORT_PENDING,
                lambda watched: _keyed(watched.export_pending()),
                (semconv.EXPORT_DESTINATION, semconv.EXPORT_SIGNAL),
                "{message}",
                "Spans and log records that wait to be sent.",
            ),
        )
        for name, read, keys, unit, description in gauges:
            callback = self._observer_of(read, keys)
            meter.create_observable_up_down_counter(name, [callback], unit=unit, description=description)
        losses = (
            (
                semconv.METRIC_DROPPED,
                self._observe_dropped,
                "{event}",
                "What was lost on the way, by signal and reason.",
            ),
            (
                semconv.METRIC_EXPORT_DROPPED,
                self._observe_export_dropped,
                "{message}",
                "Spans and log records that were lost on the way to a destination.",
            ),
        )
        for name, callback, unit, description in losses:
            meter.create_observable_counter(name, [callback], unit=unit, description=description)

    # Writing

    def add(self, what: str, name: str) -> None:
        with self._lock:
            counts = self._counts[what]
            if name not in counts:
                self._counts["retrying"][name] += 0  # a counter that begins at 0: its first retry is an increase
            counts[name] += 1

    def ended(self, name: str, outcome: AttemptOutcome, queue_wait: int) -> None:
        with self._lock:
            self._counts["ended"][name] += 1
            self._wait[name] += queue_wait
            if outcome is AttemptOutcome.RETRYING:
                self._counts["retrying"][name] += 1

    def record(self, name: str, ended: AttemptEnded, context: Context) -> None:
        attributes = self._process_attributes.get(name)
        if attributes is None:
            attributes = self._process_attributes[name] = _attributes(name, semconv.PROCESS)
        kind = error_type(ended)
        if kind is not None:
            attributes = {**attributes, semconv.ERROR_TYPE: kind}
        self._duration.record(ended.duration / 1e9, attributes, context)

    def watch(self, watched: Watched, mishaps: Mishaps) -> None:
        with self._lock:
            self._watched.append((watched, mishaps))

    def unwatch(self, watched: Watched) -> None:
        with self._lock:
            ended = [each for each in self._watched if each[0] is watched]
            self._watched = [each for each in self._watched if each[0] is not watched]
            if ended:
                self._dropped.update(watched.dropped())

    # Reading

    def _reader(self, what: str) -> Callable[[CallbackOptions], Iterable[Observation]]:
        operation = semconv.SEND if what == "sent" else semconv.PROCESS

        def observe(_options: CallbackOptions) -> Iterable[Observation]:
            return [Observation(count, _attributes(name, operation)) for name, count in self._snapshot(what).items()]

        return observe

    def _observer_of(self, read: _Read, keys: Sequence[str]) -> _Observe:
        return lambda _options: _observations(self._sums(read), keys)

    def _sums(self, read: _Read) -> Counter[tuple[str, ...]]:
        """The figures of all managers, added up by their keys."""
        total: Counter[tuple[str, ...]] = Counter()
        for watched, mishaps in list(self._watched):
            try:
                figures = read(watched)
            except Exception as error:  # noqa: BLE001 - a spool that is not to be had must not take other figures along
                mishaps.note("read a figure", error)
                continue
            for key, number in figures.items():
                total[key] += number
        return total

    def _observe_active(self, _options: CallbackOptions) -> Iterable[Observation]:
        ended = self._snapshot("ended")
        started = self._snapshot("started")
        return [Observation(max(0, count - ended[name]), _attributes(name)) for name, count in started.items()]

    def _observe_wait(self, _options: CallbackOptions) -> Iterable[Observation]:
        with self._lock:
            wait = dict(self._wait)
        return [Observation(nanoseconds / 1e9, _attributes(name)) for name, nanoseconds in wait.items()]

    def _observe_dropped(self, _options: CallbackOptions) -> Iterable[Observation]:
        with self._lock:
            dropped: Counter[tuple[str, ...]] = Counter(self._dropped)
            for watched, _ in self._watched:
                dropped.update(watched.dropped())
        return _observations(dropped, (semconv.DROP_SIGNAL, semconv.DROP_REASON))

    def _observe_export_dropped(self, _options: CallbackOptions) -> Iterable[Observation]:
        now = self._sums(lambda watched: _keyed(watched.export_dropped()))
        with self._lock:
            self._export_dropped |= now
            highest = Counter({key: self._export_dropped[key] for key in now})
        return _observations(highest, (semconv.EXPORT_DESTINATION, semconv.EXPORT_SIGNAL, semconv.DROP_REASON))

    def _snapshot(self, what: str) -> Counter[str]:
        with self._lock:
            return Counter(self._counts[what])


def _observations(figures: Mapping[tuple[str, ...], int], keys: Sequence[str]) -> list[Observation]:
    """An observation for each key, whose parts are attributes of these names."""
    return [
        Observation(number, {semconv.MESSAGING_SYSTEM: semconv.SCOPE, **dict(zip(keys, map(clean, key), strict=True))})
        for key, number in figures.items()
    ]


def _keyed(figures: Mapping[Any, int]) -> Mapping[tuple[str, ...], int]:
    """Keys of a fixed number of texts are keys of texts."""
    return figures


def _duration_of(meter: metrics.Meter) -> Histogram:
    return meter.create_histogram(
        semconv.METRIC_PROCESS_DURATION,
        unit="s",
        description="Duration of attempts.",
        explicit_bucket_boundaries_advisory=BUCKETS,
    )


def _attributes(name: str, operation: str | None = None) -> dict[str, str]:
    attributes = {semconv.MESSAGING_SYSTEM: semconv.SCOPE, semconv.MESSAGING_DESTINATION_NAME: clean(name)}
    if operation is not None:
        attributes[semconv.MESSAGING_OPERATION_NAME] = operation
    return attributes


_lock = threading.Lock()
_by_provider: WeakKeyDictionary[Any, _Instruments] = WeakKeyDictionary()
_early: list[_Instruments] = []
"""Those of the API's proxy, until a manager finds the provider behind it."""


def _instruments_of(provider: Any) -> _Instruments:
    """One set a provider: an SDK that is asked twice for an observable counter reports it twice."""
    of_all = metrics.get_meter_provider()
    key = of_all if provider is None else provider
    with _lock:
        instruments = _by_provider.get(key) or (_pop_early() if key is of_all else None) or _Instruments(provider)
        _by_provider[key] = instruments
        if _is_proxy(key):
            _early[:] = [instruments]
        return instruments


def _pop_early() -> _Instruments | None:
    """Instruments that were made before there was a global provider: they are the global provider's by now."""
    return _early.pop() if _early else None


def _is_proxy(provider: Any) -> bool:
    return "Proxy" in type(provider).__name__


def _make_locks() -> None:
    """In a forked child: a thread that is gone may have held one."""
    global _lock  # noqa: PLW0603 - a lock cannot be made free again otherwise
    _lock = threading.Lock()
    for instruments in list(_by_provider.values()):
        instruments.make_lock()


os.register_at_fork(after_in_child=_make_locks)
