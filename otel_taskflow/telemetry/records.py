"""Log records of tasks through the app's logger provider. The logs signal is the complete one: spans keep 128 lines."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from opentelemetry import _logs
from opentelemetry.context import Context

from otel_taskflow.events import (
    AttemptEnded,
    AttemptStarted,
    Event,
    TaskEnqueued,
    TaskLogged,
    TaskSettled,
)
from otel_taskflow.lifecycle.decide import is_final
from otel_taskflow.model import AttemptRow, SpanIdentity, TaskRow
from otel_taskflow.ports import JournalSlice
from otel_taskflow.telemetry import semconv
from otel_taskflow.telemetry.bridge import is_bridged
from otel_taskflow.telemetry.carrier import span_context_of, with_span
from otel_taskflow.telemetry.describe import with_extra
from otel_taskflow.telemetry.guard import Mishaps, clean
from otel_taskflow.telemetry.lifecycle_records import Record, record_of_line, records_of_end, records_of_start
from otel_taskflow.telemetry.quiet import quiet
from otel_taskflow.telemetry.rests import Rests
from otel_taskflow.version import __version__

MAX_TASKS = 100_000
MAX_FINISHED = 1_000
"""Finished tasks that are remembered, for lines that come after the end."""

_EMIT = "emit a log record"
_no_context = Context()


LoadAttempt = Callable[[str, int], "AttemptRow | None"]
"""Finds an attempt of a task by its number, from 0."""


class _Known:
    """What a log record needs to know of its task."""

    __slots__ = ("_contexts", "enqueued", "name", "spans")

    def __init__(self, name: str | None, enqueued: SpanIdentity | None) -> None:
        self.name = name
        self.enqueued = enqueued
        self.spans: dict[int, SpanIdentity] = {}
        """Of the attempts."""
        self._contexts: dict[SpanIdentity | None, Context] = {}

    def context_of(self, attempt: int) -> Context:
        """That of the attempt's span, else of the enqueue span. Made when there is a record to emit."""
        span = self.spans.get(attempt, self.enqueued)
        context = self._contexts.get(span)
        if context is None:
            context = self._contexts[span] = _context_of(span)
        return context


class LogRecordConsumer:
    """Turns ``task_log`` lines and attempt events of the live journal into OpenTelemetry log records.

    A record's context is that of the attempt's span, whatever thread it is written on. Journals of dead processes are not
    replayed: their lines would get the wrong resource and the wrong order.

    Args:
        logger_provider: Takes the records; default the global one, looked up at first use. Never flushed or shut down here.
        resolve: Finds the row of a task that was enqueued before this consumer began to listen, or by another process.
    """

    name = "otel-log-records"

    def __init__(self, logger_provider: Any = None, *, resolve: Callable[[str], TaskRow | None] | None = None) -> None:
        self._logger_provider = logger_provider
        self._logger: _logs.Logger | None = None
        self._resolve = resolve
        self._load_attempt: LoadAttempt = _unknown
        self._live: OrderedDict[str, _Known] = OrderedDict()
        self._finished: OrderedDict[str, _Known] = OrderedDict()
        self._is_heard = True
        self._unrested = 0
        """Records since the last rest."""
        self._reached = 0
        """Unix nanoseconds of the last one."""
        self._rests = Rests()
        self.mishaps = Mishaps()

    def resolve_with(self, resolve: Callable[[str], TaskRow | None], load_attempt: LoadAttempt | None = None) -> None:
        """Set ``resolve`` once the store is open, and what finds an attempt that began before this consumer began to listen."""
        self._resolve, self._load_attempt = resolve, load_attempt or _unknown

    def give_way(self, is_awaited: Callable[[], bool], spent: Callable[[], float | None]) -> None:
        """Set what tells whether the app goes first: whether somebody waits for the records, and the processor seconds that the
        app's event loop has spent."""
        self._rests = Rests(is_awaited, spent)

    @property
    def remembered(self) -> int:
        """How many tasks are remembered."""
        return len(self._live) + len(self._finished)

    @property
    def failed(self) -> int:
        """Events of which no log record could be made."""
        return self.mishaps.counts[_EMIT]

    def consume(self, piece: JournalSlice) -> None:
        """Emit the records of a slice."""
        if not piece.live:
            return
        with quiet():
            self._is_heard = self._has_listener()
            for _sequence, event in piece.events:
                self._take_safely(event)
                if self._unrested >= self._rests.stretch:
                    self._unrested = 0
                    self._rests.rest(self._reached)

    def is_listening(self) -> bool:
        """Whether somebody takes the records; else nobody need read the journal for them. Never raises."""
        return self._has_listener()

    def close(self, timeout: float) -> None:
        """Nothing is buffered here; the provider is the app's to flush."""

    # One event

    def _take_safely(self, event: Event) -> None:
        try:
            self._take(event)
        except Exception as error:  # noqa: BLE001 - one bad record must not make the tailer offer the slice again
            self.mishaps.note(_EMIT, error)

    def _take(self, event: Event) -> None:
        if type(event) is TaskLogged:
            self._emit_line(event)
        elif type(event) is TaskEnqueued:
            self._remember(event.task_id, _Known(clean(event.name), event.span))
        elif type(event) is AttemptStarted:
            known = self._known(event.task_id)
            known.spans[event.attempt] = event.span
            if self._is_heard:
                self._emit(known, event.attempt, records_of_start(event))
        elif type(event) is AttemptEnded:
            if self._is_heard:
                self._emit(self._known(event.task_id), event.attempt, records_of_end(event))
            if is_final(event.status):
                self._finish(event.task_id)
        elif type(event) is TaskSettled:
            self._finish(event.task_id)

    def _emit_line(self, event: TaskLogged) -> None:
        if event.logger is not None and is_bridged(event.logger, event.level):
            return
        known = self._known(event.task_id)
        self._emit(known, event.attempt, (record_of_line(event),), event)

    def _emit(self, known: _Known, attempt: int, records: tuple[Record, ...], line: TaskLogged | None = None) -> None:
        if not self._is_heard or not records:
            return
        self._unrested += len(records)
        self._reached = records[-1].time
        context = known.context_of(attempt)
        for record in records:
            own = {**record.attributes, semconv.ATTEMPT_NUMBER: attempt + 1}
            if known.name is not None:
                own[semconv.TASK_NAME] = known.name
            self._get_logger().emit(
                _logs.LogRecord(
                    timestamp=record.time,
                    context=context,
                    severity_number=_logs.SeverityNumber(record.severity),
                    severity_text=record.severity_text,
                    body=clean(record.body),
                    attributes=with_extra(own, line.extra) if line is not None else own,
                    event_name=record.event_name,
                )
            )

    def _get_logger(self) -> _logs.Logger:
        if self._logger is None:
            self._logger = _logs.get_logger(
                semconv.SCOPE, __version__, self._logger_provider, schema_url=semconv.SCHEMA_URL
            )
        return self._logger

    def _has_listener(self) -> bool:
        """False if the logger says that nobody listens; those before 1.45 cannot say."""
        try:
            enabled = getattr(self._get_logger(), "enabled", None)
            return enabled is None or bool(enabled())
        except Exception as error:  # noqa: BLE001 - a logger provider of the app may raise anything
            self.mishaps.note("ask a logger", error)
            return True

    # What is known of tasks

    def _known(self, task_id: str) -> _Known:
        known = self._live.get(task_id) or self._finished.get(task_id)
        if known is None:
            known = self._find(task_id)
            self._remember(task_id, known)
        return known

    def _find(self, task_id: str) -> _Known:
        row = self._resolve(task_id) if self._resolve is not None else None
        if row is None:
            return _Known(None, None)
        known = _Known(clean(row.name), row.span)
        attempt = self._load_attempt(task_id, row.attempts - 1) if row.attempts else None
        if attempt is not None:
            known.spans[attempt.attempt] = attempt.span
        return known

    def _remember(self, task_id: str, known: _Known) -> None:
        self._live[task_id] = known
        if len(self._live) > MAX_TASKS:
            self._live.popitem(last=False)

    def _finish(self, task_id: str) -> None:
        known = self._live.pop(task_id, None)
        if known is not None:
            self._finished[task_id] = known
        if len(self._finished) > MAX_FINISHED:
            self._finished.popitem(last=False)


def _unknown(_: str, __: int) -> AttemptRow | None:
    return None


def _context_of(span: SpanIdentity | None) -> Context:
    return _no_context if span is None or not span.trace_id else with_span(_no_context, span_context_of(span))
