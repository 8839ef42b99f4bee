"""``recovery_exporter=``: the spans of attempts whose process died, where the app's provider exports those of the living.

No provider takes a span that it did not start. So whoever takes over a dead process's journal rebuilds them from the store.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from queue import SimpleQueue
from time import time_ns
from typing import TYPE_CHECKING, NamedTuple

from otel_taskflow.events import AttemptEnded, AttemptStarted, TaskLogged
from otel_taskflow.health import DEGRADED, OK, PartHealth
from otel_taskflow.manager.signals import RecoveryPlan
from otel_taskflow.model import AttemptOutcome, AttemptRow, LogRow, SpanIdentity, TaskRow, TaskStatus
from otel_taskflow.ports import JournalHeader, Store, StoreReader
from otel_taskflow.registry import Registry
from otel_taskflow.serialize import identity_of
from otel_taskflow.telemetry import quiet
from otel_taskflow.telemetry.guard import Mishaps
from otel_taskflow.telemetry.otlp.attempts import KEPT_FIRST, KEPT_LAST, OpenAttempt, facts_of, span_of_attempt
from otel_taskflow.telemetry.otlp.limits import limited_span
from otel_taskflow.telemetry.private import limits_of_environment
from otel_taskflow.telemetry.recovered import export, readable_span

if TYPE_CHECKING:
    from otel_taskflow.telemetry.recovered import ReadableSpan, SpanExporter

STOP_TIMEOUT = 1.5
"""Seconds that the end of a process waits for the exporter."""

_EXPORT = "export the spans of a process that died with recovery_exporter="
_STOP = "shut down recovery_exporter= in time"


class _Running(NamedTuple):
    """An attempt that a process died in, as it began; of its lines only the number is known yet."""

    attempt: OpenAttempt
    lines: int


class RecoveredSpans:
    """Exports them on a thread of its own. What goes wrong is counted and logged once; no task waits for it."""

    def __init__(self, plan: RecoveryPlan, store: Store, registry: Registry) -> None:
        self._exporter: SpanExporter = plan.exporter
        self._own_resource = (plan.resource, plan.resource_schema_url)
        self._store = store
        self._registry = registry
        self._limits = limits_of_environment()
        self._mishaps = Mishaps()
        self._queue: SimpleQueue[Sequence[_Running] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="otel_taskflow-recovered-spans", daemon=True)
        self._trouble = ""
        """What went wrong at the last time."""
        self.exported = 0
        self.failed = 0
        """Spans that were lost."""

    def start(self) -> None:
        """Be ready."""
        self._thread.start()

    def stop(self, timeout: float = STOP_TIMEOUT) -> None:
        """Export what is left and shut the exporter down; what takes longer is left behind. Idempotent."""
        self._queue.put(None)
        self._thread.join(timeout)
        if self._thread.is_alive():
            self._mishaps.note(_STOP, TimeoutError(f"it took longer than {timeout:g} s"))

    def take(self, header: JournalHeader) -> None:
        """Take what was running in a dead process whose journal is in the store, before that is ended. Never raises."""
        try:
            owned = self._store.writer.owned(header.journal_id)
            running = [each for task in owned if (each := self._running(task, header)) is not None]
        except Exception as error:  # noqa: BLE001 - whatever the store raises, the tasks are to be taken over
            self._lost(1, error)
            return
        if running:
            self._queue.put(running)

    def health(self) -> PartHealth:
        """Whether what was to be exported was. Never raises."""
        figures = {"exported": self.exported, "failed": self.failed}
        if not self._trouble:
            return PartHealth("recovery_exporter", OK, figures=figures)
        why = f"it lost the last spans of a process that died: {self._trouble}"
        remedy = "see the log for the first failure; an OTLPExporter would try until they are delivered"
        return PartHealth("recovery_exporter", DEGRADED, why, remedy, figures, is_told=True)

    def _lost(self, spans: int, error: Exception) -> None:
        self._mishaps.note(_EXPORT, error)
        self._trouble = type(error).__name__
        self.failed += spans

    # What was running

    def _running(self, task: TaskRow, header: JournalHeader) -> _Running | None:
        """The attempt that the process died in; None if there is none, or if its span is not sampled."""
        row = self._store.writer.load_attempt(task.task_id, task.attempts - 1) if task.attempts else None
        if row is None or row.outcome is not None or not row.span.trace_id:
            return None
        # Only of a task that the process had from another one was the enqueue span remote.
        is_its_own = task.created_at >= header.created_at
        facts = facts_of(task._replace(owner=None if is_its_own else task.owner))
        resource = (header.resource, header.resource_schema_url) if header.resource else self._own_resource
        attempt = OpenAttempt(self._started(task, row), facts, resource)
        return _Running(attempt, row.log_count) if attempt.is_sampled else None

    def _started(self, task: TaskRow, row: AttemptRow) -> AttemptStarted:
        identity = identity_of(task)
        code_name = self._registry.find(identity).code_name if identity in self._registry else ""
        previous = self._span_before(row)
        return AttemptStarted(
            row.task_id, row.started_at, row.attempt, row.span, row.worker, row.queue_wait, previous, code_name
        )

    def _span_before(self, row: AttemptRow) -> SpanIdentity | None:
        before = self._store.writer.load_attempt(row.task_id, row.attempt - 1) if row.attempt else None
        return None if before is None else before.span

    # On the thread

    def _work(self) -> None:
        with quiet():
            while (running := self._queue.get()) is not None:
                self._export(running)
            try:
                self._exporter.shutdown()
            except Exception as error:  # noqa: BLE001 - an exporter of the app may raise anything
                self._mishaps.note(_STOP, error)

    def _export(self, running: Sequence[_Running]) -> None:
        try:
            spans = asyncio.run(self._spans(running))
            export(self._exporter, spans)
        except Exception as error:  # noqa: BLE001 - an exporter of the app may raise anything
            self._lost(len(running), error)
        else:
            self._trouble = ""
            self.exported += len(spans)

    async def _spans(self, running: Sequence[_Running]) -> list[ReadableSpan]:
        reader = self._store.reader()
        try:
            return [await self._span(reader, *each) for each in running]
        finally:
            await reader.aclose()

    async def _span(self, reader: StoreReader, attempt: OpenAttempt, lines: int) -> ReadableSpan:
        await _add_lines(reader, attempt, lines)
        data = span_of_attempt(attempt, _interrupted(attempt.started, lines), lambda _: True, self._limits.events)
        return readable_span(limited_span(data, self._limits), *attempt.resource)


async def _add_lines(reader: StoreReader, attempt: OpenAttempt, lines: int) -> None:
    """The first and the last of its lines; those between are not read. Sequence numbers may have gaps."""
    task_id, number = attempt.started.task_id, attempt.started.attempt
    rows = await reader.get_logs(task_id, attempt=number, limit=KEPT_FIRST)
    last = rows[0].seq + lines - 1 if rows else 0
    while rows:
        for row in rows:
            attempt.add(_logged(row))
        rows = await reader.get_logs(task_id, attempt=number, after=(number, max(rows[-1].seq, last - KEPT_LAST)))


def _logged(row: LogRow) -> TaskLogged:
    return TaskLogged(row.task_id, row.time, row.attempt, row.seq, row.level, row.message, row.extra)


def _interrupted(started: AttemptStarted, lines: int) -> AttemptEnded:
    return AttemptEnded(
        started.task_id,
        time_ns(),
        started.attempt,
        duration=0,
        outcome=AttemptOutcome.INTERRUPTED,
        status=TaskStatus.INTERRUPTED,
        error=None,
        waiting_until=None,
        reason="process_died",
        log_count=lines,
    )
