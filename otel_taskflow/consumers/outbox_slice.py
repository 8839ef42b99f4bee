"""One slice of a journal on its way into the spool."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from otel_taskflow.consumers.outbox_facts import TaskFacts
from otel_taskflow.consumers.outbox_messages import Messages, SpanFor
from otel_taskflow.consumers.outbox_routes import Route
from otel_taskflow.events import AttemptEnded, AttemptStarted, Event, TaskEnqueued, TaskLogged, TaskSettled
from otel_taskflow.export import FinishedAttempt
from otel_taskflow.model import FINAL_STATUSES, AttemptRow, SpanIdentity, TaskRow
from otel_taskflow.ports import JournalHeader, JournalSlice
from otel_taskflow.spool import Source, SpoolWrite
from otel_taskflow.telemetry import semconv
from otel_taskflow.telemetry.additions import unpacked_attributes
from otel_taskflow.telemetry.lifecycle_records import records_of_end, records_of_start
from otel_taskflow.telemetry.otlp.attempts import EVERY, OpenAttempt, attempt_key, span_of_attempt, span_of_enqueue
from otel_taskflow.telemetry.otlp.encode import encode_resource, encode_scope
from otel_taskflow.telemetry.otlp.logs import log_of_line, log_of_record
from otel_taskflow.telemetry.otlp.values import DataLimits, SpanData
from otel_taskflow.values.levels import LEVELS
from otel_taskflow.version import __version__

_logger = logging.getLogger("otel_taskflow")

_SCOPE = encode_scope(semconv.SCOPE, __version__)
_UNENCODABLE = (ValueError, TypeError, LookupError, AttributeError)
_no_lines: frozenset[str] = frozenset()
_nobody: frozenset[Route] = frozenset()


@dataclass
class Surroundings:
    """What all slices share."""

    routes: Sequence[Route]
    facts: TaskFacts
    limits: DataLimits
    is_bridged: Callable[[str, str], bool]
    """Whether a standard library logger's lines of a level leave through a handler of OpenTelemetry already."""
    load_attempt: Callable[[str], OpenAttempt | None]
    """A running attempt of another process, by key."""
    sources: dict[str, Source] = field(default_factory=dict)
    has_warned: bool = False
    line_routes: dict[str, Sequence[Route]] = field(default_factory=dict)
    """Who wants the lines of a level as log records."""
    is_limited: bool = False
    """Whether a route has a limit of lines a second."""
    event_routes: dict[str, Sequence[Route]] = field(default_factory=dict)
    """Who wants the lines of a level as events of the span."""
    groups: Sequence[str] = ()
    """Of lines that are kept for events of the span."""

    def __post_init__(self) -> None:
        self.is_limited = any(route.is_limited for route in self.routes)
        self.groups = [route.kept_as for route in self.routes if route.wants_line_events]
        for level in LEVELS:
            routes = [route for route in self.routes if level in route.levels]
            self.line_routes[level] = [route for route in routes if route.wants_lines]
            self.event_routes[level] = [route for route in routes if route.wants_line_events]

    def source(self, resource: Mapping[str, Any], schema_url: str) -> Source:
        """Resource, as a journal has it, and scope as they are sent; encoded once."""
        name = f"{schema_url} {sorted(resource.items())!r}"
        if name not in self.sources:
            if len(self.sources) > 1000:
                self.sources.clear()
            encoded = encode_resource(unpacked_attributes(resource))
            self.sources[name] = Source(encoded, schema_url, _SCOPE, semconv.SCHEMA_URL)
        return self.sources[name]


class OutboxSlice:
    """Takes the events of a slice one by one; ``write`` is what the spool gets."""

    def __init__(self, around: Surroundings, piece: JournalSlice, open_attempts: dict[str, OpenAttempt]) -> None:
        self._around = around
        self._is_live = piece.live
        self._header: JournalHeader = piece.header
        self._resource = (dict(piece.header.resource), piece.header.resource_schema_url)
        self._source = around.source(*self._resource)
        self._open = open_attempts
        self._messages = Messages(around.routes, around.limits)
        self._touched: dict[str, OpenAttempt] = {}
        self._closed: list[str] = []
        self._released: list[tuple[str, str]] = []
        self._discarded: list[tuple[str, str]] = []

    def write(self, offset: int) -> SpoolWrite:
        """The slice as the spool takes it."""
        return SpoolWrite(
            journal_id=self._header.journal_id,
            offset=offset,
            messages=self._messages.all,
            open_attempts={key: attempt.to_bytes() for key, attempt in self._touched.items()},
            closed_attempts=self._closed,
            released=self._released,
            discarded=self._discarded,
            dropped=self._messages.dropped,
        )

    def take(self, event: Event) -> None:
        """Take one event. One that cannot be exported is counted and left out: it must not hold up the others."""
        try:
            self._take(event)
        except _UNENCODABLE as error:
            self._lose(event, "logs", self._around.routes, error)

    def _lose(self, event: Event, signal: str, routes: Iterable[Route], error: Exception) -> None:
        for route in routes:
            self._messages.drop(route, signal, "unencodable")
        if not self._around.has_warned:
            self._around.has_warned = True
            _logger.warning("otel_taskflow: an event of task %s is not exported", event.task_id, exc_info=error)

    def _take(self, event: Event) -> None:
        match event:
            case TaskLogged():
                self._log(event)
            case TaskEnqueued():
                self._enqueue(event)
            case AttemptStarted():
                self._start(event)
            case AttemptEnded():
                self._end(event)
            case TaskSettled():
                self._around.facts.finish(event.task_id)

    # The events

    def _enqueue(self, event: TaskEnqueued) -> None:
        task = self._around.facts.enqueued(event)
        span = span_of_enqueue(task, event.code_name)
        if span is not None:
            self._add_span(event, self._source, lambda _: span)

    def _start(self, event: AttemptStarted) -> None:
        task = self._around.facts.of(event.task_id)
        if task is None:
            return
        self._around.facts.started(event)
        key = attempt_key(event.task_id, event.attempt)
        attempt = OpenAttempt(event, task, self._resource, self._around.groups)
        self._open[key] = self._touched[key] = attempt
        for record in records_of_start(event):
            self._messages.add_log(log_of_record(record, event.attempt, task.name, event.span), self._source, key)

    def _log(self, event: TaskLogged) -> None:
        key = attempt_key(event.task_id, event.attempt)
        attempt = None if event.late else self._attempt(event.task_id, event.attempt)
        as_records = [] if self._is_bridged(event) else self._around.line_routes.get(event.level, ())
        as_events = [] if attempt is None else self._around.event_routes.get(event.level, ())
        beyond = self._beyond_rate(event, {*as_records, *as_events}) if self._around.is_limited else _nobody
        if attempt is not None:
            attempt.add(event, {route.kept_as for route in as_events if route not in beyond})
            self._touched[key] = attempt
        routes = [route for route in as_records if route not in beyond]
        if routes:
            name, span = self._names(event.task_id, event.attempt, attempt)
            data = log_of_line(event, name, span)
            self._messages.add_log(data, self._source_of(attempt), None if event.late else key, routes)

    def _is_bridged(self, line: TaskLogged) -> bool:
        return line.logger is not None and self._is_live and self._around.is_bridged(line.logger, line.level)

    def _beyond_rate(self, line: TaskLogged, routes: Iterable[Route]) -> set[Route]:
        """Those that take no more lines now. Each is asked once, whether it gets the line as a record, as an event or both."""
        beyond = {route for route in routes if route.is_limited and not route.within_rate(line.time)}
        for route in beyond:
            self._messages.drop(route, "logs" if route.wants_lines else "traces", "rate_limit")
        return beyond

    def _end(self, event: AttemptEnded) -> None:
        key = attempt_key(event.task_id, event.attempt)
        try:
            self._add_end(event, key)
        finally:  # what cannot be exported must not leave the attempt open
            self._open.pop(key, None)
            self._touched.pop(key, None)
            self._closed.append(key)
            if event.status in FINAL_STATUSES:
                self._around.facts.finish(event.task_id)

    def _add_end(self, event: AttemptEnded, key: str) -> None:
        attempt = self._attempt(event.task_id, event.attempt)
        name, span = self._names(event.task_id, event.attempt, attempt)
        source = self._source_of(attempt)
        told = self._settle_lines(key, _finished(event, attempt, name or ""), attempt)
        if attempt is not None and attempt.is_sampled:
            without_additions = self._span_for(attempt, event._replace(span=None), told)
            self._add_span(event, source, self._span_for(attempt, event, told), without_additions)
        for record in records_of_end(event):
            self._messages.add_log(log_of_record(record, event.attempt, name, span), source)

    def _settle_lines(self, key: str, finished: FinishedAttempt, attempt: OpenAttempt | None) -> frozenset[str]:
        """Let the lines go that waited for this end, or drop them; the names of the destinations that get all of it.

        Of an attempt that another process began lines may wait where none would now.
        """
        told = frozenset(route.name for route in self._around.routes if route.tells_all(finished))
        may_wait = attempt is None or attempt.is_inherited
        for route in self._around.routes:
            if route.decides_late or may_wait:
                (self._released if route.name in told else self._discarded).append((route.name, key))
        return told

    def _add_span(
        self, event: TaskEnqueued | AttemptEnded, source: Source, span_for: SpanFor, otherwise: SpanFor | None = None
    ) -> None:
        """Add a span; one that cannot be encoded is made in the other way, if there is one, or counted as lost."""
        try:
            self._messages.add_span(source, event.time, span_for)
        except _UNENCODABLE as error:
            if otherwise is not None:
                self._add_span(event, source, otherwise)
            else:
                self._lose(event, "traces", (route for route in self._around.routes if route.wants_spans), error)

    def _span_for(self, attempt: OpenAttempt, ended: AttemptEnded, told: frozenset[str]) -> SpanFor:
        """Destinations that want the same lines get the same span."""
        made: dict[str | None, SpanData] = {}

        def span_for(route: Route) -> SpanData:
            group = route.kept_as if route.wants_line_events and route.name in told else None
            if group not in made:
                levels = _no_lines if group is None else route.levels
                limits = self._around.limits
                made[group] = span_of_attempt(attempt, ended, levels.__contains__, limits.events, group or EVERY)
            return made[group]

        return span_for

    # What is known

    def _attempt(self, task_id: str, number: int) -> OpenAttempt | None:
        """The attempt, from this journal, else from what its own process left in the spool, else from the store."""
        key = attempt_key(task_id, number)
        attempt = self._open.get(key)
        if attempt is None and key not in self._closed:
            attempt = self._around.load_attempt(key) or self._attempt_of_row(task_id, number)
            if attempt is not None:
                self._open[key] = attempt
        return attempt

    def _attempt_of_row(self, task_id: str, number: int) -> OpenAttempt | None:
        """An attempt that began when nobody exported. Its first lines are in the store only."""
        row, task = self._around.facts.attempt(task_id, number), self._around.facts.of(task_id)
        if row is None or task is None or row.outcome is not None or not row.span.trace_id:
            return None
        return OpenAttempt(_started(row), task, ({}, ""), self._around.groups)

    def _names(self, task_id: str, number: int, attempt: OpenAttempt | None) -> tuple[str | None, SpanIdentity | None]:
        """Name and span for a log record, also for a line that came late."""
        if attempt is not None:
            return attempt.task.name, attempt.started.span
        task: TaskRow | None = self._around.facts.of(task_id)
        return (task.name if task is not None else None), self._around.facts.span_of(task_id, number)

    def _source_of(self, attempt: OpenAttempt | None) -> Source:
        if attempt is None or not attempt.resource[0] or attempt.resource == self._resource:
            return self._source
        return self._around.source(*attempt.resource)


def _finished(ended: AttemptEnded, attempt: OpenAttempt | None, name: str) -> FinishedAttempt:
    return FinishedAttempt(
        task_id=ended.task_id,
        func_name=name,
        attempt=ended.attempt,
        outcome=ended.outcome.value,
        duration=ended.duration / 1e9,
        error=ended.error.type if ended.error is not None else None,
        tags=attempt.task.tags if attempt is not None else {},
        log_count=ended.log_count,
    )


def _started(row: AttemptRow) -> AttemptStarted:
    return AttemptStarted(row.task_id, row.started_at, row.attempt, row.span, row.worker, row.queue_wait)
