"""What runs while a manager is started: journal, consumers, store, engine. Made at start, gone at stop, never across a fork."""

from __future__ import annotations

import logging
import time
from asyncio import AbstractEventLoop
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from otel_taskflow.consumers.level import level_with
from otel_taskflow.consumers.lookup import Lookup
from otel_taskflow.consumers.observers import ObserverConsumer, ObserverOffsets
from otel_taskflow.consumers.progress import SharedTime, remaining
from otel_taskflow.consumers.redacting import redactor
from otel_taskflow.consumers.store import Retention, StoreConsumer, Upkeep
from otel_taskflow.consumers.store_process.host import StoreProcess, process_for
from otel_taskflow.consumers.tailer import CLOSING, END, Tailer
from otel_taskflow.context.capture import install_capture
from otel_taskflow.engine.local import LocalEngine
from otel_taskflow.engine.loops import Loops
from otel_taskflow.engine.parts import EngineParts
from otel_taskflow.engine.processes import Processes
from otel_taskflow.engine.recovery import Recovery
from otel_taskflow.engine.slots import Slots
from otel_taskflow.engine.threads import ThreadPool
from otel_taskflow.engine.timers import Timers
from otel_taskflow.errors import JournalError, StoreError, StoreUnavailableError
from otel_taskflow.health import FAILED, OK, HealthReport, PartHealth
from otel_taskflow.journal.disk import Disk, PowerSafeDisk
from otel_taskflow.journal.folder import open_folder
from otel_taskflow.journal.writer import JournalWriter
from otel_taskflow.manager import losses
from otel_taskflow.manager.blueprint import Blueprint
from otel_taskflow.manager.checkup import Checkup, of_buffers
from otel_taskflow.manager.forgetting import forget_everywhere, may_go
from otel_taskflow.manager.header import header_for
from otel_taskflow.manager.housekeeping import Housekeeping
from otel_taskflow.manager.idempotency import claims_for
from otel_taskflow.manager.losses import Losses
from otel_taskflow.manager.names import take_name
from otel_taskflow.manager.opened import is_kept, open_for_manager
from otel_taskflow.manager.origin import Origin
from otel_taskflow.manager.pulse import Pulse, StandIn, stand_in_for
from otel_taskflow.manager.settings import Settings
from otel_taskflow.manager.signals import Signals, signals_for
from otel_taskflow.manager.takeover import Takeover
from otel_taskflow.manager.vitals import health_of_manager
from otel_taskflow.model import TaskRow
from otel_taskflow.observers import TaskObserver
from otel_taskflow.ports import Consumer, Store, StoreReader, Watched
from otel_taskflow.stores.opening import check_store
from otel_taskflow.stores.sqlite.store import SqliteStore

if TYPE_CHECKING:
    from otel_taskflow.manager.exporting import Exporting
    from otel_taskflow.manager.recovered import RecoveredSpans

_logger = logging.getLogger("otel_taskflow")

DAY = 86400.0


def start_runtime(blueprint: Blueprint, app_loop: AbstractEventLoop | None) -> Runtime:
    """Start. Raises StoreError, JournalError; with another ``on_store_error`` starts in memory instead, and says so."""
    blueprint = replace(blueprint, settings=blueprint.settings.at_start())
    check_store(blueprint.settings.store)
    signals = signals_for(blueprint.settings, blueprint.providers, blueprint.exporters, blueprint.recovery_exporter)
    try:
        return Runtime(blueprint, signals, app_loop)
    except (StoreError, JournalError) as error:
        if blueprint.settings.on_store_error == "raise":
            raise
        stand_in = stand_in_for(blueprint.settings.on_store_error, error)
        _logger.error("otel_taskflow: %s", stand_in.why)  # noqa: TRY400 - the remedy, not the trace
        settings = replace(blueprint.settings, store="memory")
        return Runtime(replace(blueprint, settings=settings), signals, app_loop, stand_in)


class Runtime:
    """The running half of a TaskManager. Either everything is started, or nothing is left behind."""

    def __init__(
        self, blueprint: Blueprint, signals: Signals, loop: AbstractEventLoop | None, stand_in: StandIn | None = None
    ) -> None:
        self._blueprint = blueprint
        self._signals = signals
        self._stand_in = stand_in
        self._undo = ExitStack()
        self._end = SharedTime(END)
        self.origin = Origin()
        self.store_process: StoreProcess | None = None
        self.is_hermetic = bool(blueprint.settings.testing)
        """True in hermetic tests."""
        self.loops = Loops("otel_taskflow-loop", is_measured=not self.is_hermetic, app_loop=loop)
        self._unwatch: Callable[[], None] = _nothing_to_do
        self._undo.callback(self._stop_watching)
        try:
            self._start()
        except BaseException:
            self._undo.close()
            raise

    def _start(self) -> None:
        self.root = self._open_folder()
        self.store = self._open_store()
        self.exporting = self._open_exporting()
        self.writer = self._create_journal()
        self.claimed_keys = claims_for(self.root, self.writer, self.store, lambda: self.tailer.store.at)
        if self.claimed_keys is not None:
            self._undo.callback(self.claimed_keys.close)
        self.offsets = ObserverOffsets(self.root)
        self.tailer = self._start_tailer()
        self.engine = self._create_engine()
        recovery = Recovery(self.parts, self.engine, self._blueprint.registry, self.store.writer)
        self.housekeeping = self._start_housekeeping(recovery)
        self.recovered = self._start_recovered()
        self.takeover = self._start_takeover(recovery)
        self.losses = self._count_losses()
        self._checkup = self._check_up()
        if self.exporting is not None:
            self.exporting.start()
        self._watch()
        self._capture_logging()
        if self._stand_in is None:  # else it was told above what becomes of tasks
            _logger.info("otel_taskflow: tasks are kept in %s", self.kept_in)

    # The steps of a start

    def _open_folder(self) -> Path | None:
        if not is_kept(self._settings.store):
            return None
        root = open_folder(self._settings.folder)
        self._undo.callback(take_name(root, self._settings.name))
        return root

    def _open_store(self) -> Store:
        store, end_use = open_for_manager(self._settings, self.root)
        self._undo.callback(end_use)
        self._lookup = Lookup(self._resolve, store.writer.load_attempt)
        return store

    def _open_exporting(self) -> Exporting | None:
        if self._signals.plan is None:
            return None
        # Protobuf and all that comes with it: nothing for an app that does not export.
        from otel_taskflow.manager.exporting import Exporting

        syncs_commits = self._settings.durability == "power"
        exporting = Exporting(self._signals.plan, self.root, self._lookup, syncs_commits=syncs_commits)
        exporting.open()
        self._undo.callback(exporting.stop)
        return exporting

    def _create_journal(self) -> JournalWriter:
        writer = JournalWriter.create(
            self.root,
            header_for(self._settings.name, self.root, self._signals),
            budget=self._settings.journal_budget,
            disk=PowerSafeDisk() if self._settings.durability == "power" else Disk(),
        )
        self._undo.callback(self._close_journal, writer)
        return writer

    def _start_tailer(self) -> Tailer:
        redaction = self._blueprint.sanitizer.redaction
        tailer = Tailer(self.writer, decode_step=redactor(redaction))
        self._undo.callback(lambda: tailer.stop(self._end.left))
        earlier = tailer.earlier if isinstance(self.store, SqliteStore) else None
        self.store_consumer = StoreConsumer(self.store.writer, self.writer.id, earlier=earlier)
        if self._settings.store_process:
            self.store_process = process_for(self.store, self.store_consumer, self.writer, redaction)
        tailer.add(self.store_consumer, is_store=True, helper=self.store_process)
        if self.exporting is not None:
            tailer.add(self.exporting.outbox, must_succeed=True)
        self.observers = [self._observe(observer) for observer in self._blueprint.observers]
        for consumer in self._beside_the_store():
            tailer.add(consumer)
        for observer in self.observers:
            observer.start()
        tailer.start()
        return tailer

    def _observe(self, observer: TaskObserver) -> ObserverConsumer:
        return ObserverConsumer(observer, self._lookup, app_loop=lambda: self.loops.app_loop, offsets=self.offsets)

    def _beside_the_store(self) -> list[Consumer]:
        records = self._signals.log_records
        return [*([] if records is None else [records]), *self.observers]

    def _create_engine(self) -> LocalEngine:
        settings = self._settings
        self.parts = EngineParts(
            writer=self.writer,
            telemetry=self._signals.telemetry,
            sanitizer=self._blueprint.sanitizer,
            codec_for=self._blueprint.codec_for,
            slots=Slots(settings.max_concurrent_tasks),
            threads=ThreadPool(settings.max_sync_threads, "otel_taskflow-task"),
            processes=Processes(
                settings.max_process_workers, self.writer, self._blueprint.sanitizer, settings.capture_logging
            ),
            timers=Timers("otel_taskflow-timers"),
            loops=self.loops,
            clock=time.time_ns,
            worker=self.writer.header.worker,
            skip_waits=self.is_hermetic,
            max_pending=settings.max_pending,
            is_persistent=self.store.is_persistent,
            commit=self.writer.sync if settings.durability == "power" else _nothing_to_do,
        )
        return LocalEngine(self.parts)

    def _start_housekeeping(self, recovery: Recovery) -> Housekeeping:
        upkeep = Upkeep(self.store.writer, self._retention(), self.store_consumer.restore)
        self._pulse = Pulse(self.store, lambda: self.tailer.trouble_of(self.store_consumer), self._stand_in)
        housekeeping = Housekeeping(self.writer.id, self.engine, recovery, self.store.writer, upkeep, self._pulse)
        self._undo.callback(housekeeping.stop)
        housekeeping.start()
        return housekeeping

    def _start_recovered(self) -> RecoveredSpans | None:
        if self._signals.recovery is None:
            return None
        from otel_taskflow.manager.recovered import RecoveredSpans

        recovered = RecoveredSpans(self._signals.recovery, self.store, self._blueprint.registry)
        recovered.start()
        self._undo.callback(recovered.stop)
        return recovered

    def _start_takeover(self, recovery: Recovery) -> Takeover | None:
        if self.root is None:
            return None
        takeover = Takeover(
            self.root,
            self.writer.header,
            self.store.writer,
            recovery,
            decoder=self.tailer.decoder,
            quarantined=self.store_consumer.quarantined,
            observers=self.observers,
            offsets=self.offsets,
            outbox=None if self.exporting is None else self.exporting.outbox,
            recovered=self.recovered,
        )
        self._undo.callback(takeover.stop)
        takeover.start()
        return takeover

    def _count_losses(self) -> Losses:
        records = self._signals.log_records
        return Losses(
            *losses.of_lines(self.writer, self._blueprint.sanitizer),
            *losses.of_the_store(self.store_consumer, self.store, self.takeover),
            *losses.of_reading(self.tailer, self.takeover),
            *losses.of_observers(self.tailer, self.observers),
            *([] if records is None else losses.of_log_records(self.tailer, records)),
            *([] if self.exporting is None else losses.of_exports(self.exporting)),
            *([] if self.recovered is None else losses.of_recovered_spans(self.recovered)),
        )

    def _check_up(self) -> Checkup:
        exporting, takeover, recovered = self.exporting, self.takeover, self.recovered
        return Checkup(
            ("manager", lambda: [health_of_manager(self.engine.waiting, self.loops.lag)]),
            ("journal", lambda: [self.writer.health()]),
            ("store", lambda: [self._pulse.health()]),
            ("consumers", self.tailer.health),
            ("spool", list if exporting is None else exporting.health),
            ("takeover", lambda: [each.health() for each in (takeover, recovered) if each is not None]),
            ("processors", of_buffers),
            ("telemetry", lambda: [PartHealth("telemetry", OK, figures=self._signals.describe())]),
        )

    def _capture_logging(self) -> None:
        if self._settings.capture_logging is not None:
            self._undo.callback(install_capture(self._settings.capture_logging))

    def _watch(self) -> None:
        figures = Watched(lambda: self.engine.waiting, self.tailer.lag, self.losses.by_signal)
        if self.exporting is not None:
            figures = figures._replace(export_pending=self.exporting.pending, export_dropped=self.exporting.dropped)
        self._unwatch = self._signals.telemetry.watch(figures)
        records = self._signals.log_records
        if records is not None:
            records.resolve_with(*self._lookup)
            records.give_way(lambda: self.tailer.is_awaited, self.loops.lag.spent)

    def _stop_watching(self) -> None:
        """The last thing of all: what is lost while the other parts end counts too."""
        self._unwatch()

    # The end

    def stop(self, grace: float) -> None:
        """Wait ``grace`` seconds for running tasks, let the consumers take everything, close. Idempotent."""
        self.housekeeping.stop()
        if self.takeover is not None:
            self.takeover.stop()
        self.engine.stop(grace)
        self.tailer.flush(self._end.left - CLOSING)
        self._undo.close()

    def abandon(self) -> None:
        """After a fork, in the child: forget everything, touch nothing of the parent's."""
        self._undo.pop_all()
        self._unwatch()

    # How it is

    def health(self) -> HealthReport:
        """How all parts are. Never raises."""
        return self._checkup.report()

    def check_store(self, name: str) -> None:
        """Raise StoreUnavailableError if a task of this name is to be refused, since it could not be kept."""
        if self._stand_in is not None and self._stand_in.state == FAILED:
            raise StoreUnavailableError(f"task {name!r} could not be kept: {self._stand_in.why}")

    @property
    def is_ready(self) -> bool:
        """Whether the store can be reached, as far as the last question to it told. Waits for nothing."""
        return self._pulse.is_felt

    # Small things

    def drain(self, timeout: float) -> bool:
        """Wait until all tasks have ended and all consumers have seen it. False when ``timeout`` seconds passed first."""
        deadline = time.monotonic() + timeout
        ended = self.engine.wait_idle(timeout)
        return self.tailer.wait_all(self.writer.end, remaining(deadline)) and ended

    async def level(self, reader: StoreReader, timeout: float) -> int:
        """Wait until the reader sees what this host's processes have acknowledged; return how many events are missing."""
        return await level_with(self.root, self.tailer, self.writer, reader, timeout)

    def flush_exports(self, timeout: float) -> bool:
        """Deliver what was journalled so far. False if ``timeout`` seconds passed first, or some was not delivered."""
        if self.exporting is None:
            return True
        return self.exporting.flush(timeout, lambda: self.tailer.wait_all(self.writer.end, timeout))

    @property
    def kept_in(self) -> str:
        """Where tasks are kept, for people."""
        if self.root is None:
            return "memory, until this process ends"
        location = self.store.location
        if Path(location).parent == self.root:
            return location
        return f"{location}, their journals in {self.root}"

    @property
    def dropped(self) -> Mapping[str, int]:
        """Events that were lost since the start, by reason."""
        return self.losses.by_reason()

    @property
    def _settings(self) -> Settings:
        return self._blueprint.settings

    def _close_journal(self, writer: JournalWriter) -> None:
        """Its files stay for the next process, if a consumer has not taken everything."""
        consumed = self.tailer.consumed if hasattr(self, "tailer") else 0
        is_over = consumed >= writer.end and may_go(writer.id, self.root, self.store.writer)
        writer.close(consumed if is_over else None)
        if is_over:
            outbox = [] if self.exporting is None else [self.exporting.outbox.forget]
            forget_everywhere(writer.id, [self.store.writer.forget_journal, self.offsets.forget, *outbox])

    def _retention(self) -> Retention:
        return Retention(self._settings.retention_days * DAY, self._settings.retention_bytes)

    def _resolve(self, task_id: str) -> TaskRow | None:
        return self.store.writer.load_tasks([task_id]).get(task_id)


def _nothing_to_do() -> None:
    """What was appended is safe against the death of the process already."""
