"""The public API as users write it. Type-checked by ``make check``, never run.

Lines with ``type: ignore`` must be errors: mypy refuses an ignore that it does not need.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from fastapi import Depends, FastAPI
from opentelemetry.sdk._logs import LogRecordProcessor
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.export import ConsoleSpanExporter
from typing_extensions import assert_type

import otel_taskflow
from otel_taskflow import (
    ConfigurationError,
    DurableLogRecordProcessor,
    DurableSpanProcessor,
    FileLogger,
    FinishedAttempt,
    InMemoryLogger,
    JournalError,
    LifecycleEvent,
    LogEvent,
    ManagedBackgroundTasks,
    ManagerClosedError,
    OTLPExporter,
    QueueFullError,
    Settings,
    SpoolError,
    StdoutLogger,
    StoreError,
    StoreUnavailableError,
    StoreVersionError,
    TaskAdmin,
    TaskArgumentError,
    TaskConfig,
    TaskContext,
    TaskflowError,
    TaskManager,
    TaskNotFoundError,
    TaskNotRegisteredError,
    TaskObserver,
    TaskRecord,
    TaskStateError,
    TaskStatus,
    UnsupportedParameterError,
    get_task_context,
    links,
    setup_telemetry,
    task_log,
    wrap,
)
from otel_taskflow.health import HealthReport
from otel_taskflow.observers import BatchObserver
from otel_taskflow.telemetry.otlp.values import LogData, SpanData

assert_type(otel_taskflow.__version__, str)

# Managers and their settings

plain = TaskManager()
task_manager = TaskManager(
    store=Path("tasks.db"),
    observers=[FileLogger("tasks.log", log_lifecycle=True), StdoutLogger(), InMemoryLogger(max_events=10)],
    redact={"keys": ["iban"]},
    dir=".tasks",
    shutdown_grace=5.0,
    snapshot_db=None,
)
settings: Settings = task_manager.settings
assert_type(settings.max_sync_threads, int)
assert_type(settings.capture_logging, str | int | None)
settings.dir = "elsewhere"  # type: ignore[misc]  # settings are frozen
TaskManager(observers=FileLogger("tasks.log"))  # type: ignore[arg-type]  # a list of observers
TaskManager(recovery_exporter=ConsoleSpanExporter())
TaskManager(recovery_exporter="console")  # type: ignore[arg-type]  # an exporter of the SDK
TaskManager(recovery_exporter=OTLPExporter())  # type: ignore[arg-type]  # that is an observer
TaskManager(store=3)  # type: ignore[arg-type]  # a path, a URL, "memory" or a Store

# Tasks keep the type of their function


@task_manager.task
def bare(address: str) -> int:
    return len(address)


@task_manager.task()
def empty(address: str, *, copies: int = 1) -> None:
    task_log("Sending", address=address, copies=copies)


@task_manager.task(
    retries=3, delay=1, backoff=2.0, max_delay=30.0, jitter=0.5, retry_on=(OSError, ValueError), timeout=5
)
async def configured(numbers: Sequence[int]) -> float:
    return sum(numbers) / len(numbers)


@task_manager.task(expires=60)
def soon() -> None:
    """Worth nothing a minute later."""


task_manager.task(expires="60")  # type: ignore[call-overload]  # seconds
length: int = bare("ada")
number: str = bare("ada")  # type: ignore[assignment]  # the function still returns int
bare(1)  # type: ignore[arg-type]  # the function still takes a text
empty("ada", copies=2)
empty("ada", sheets=2)  # type: ignore[call-arg]  # no such parameter
as_function: Callable[[str], int] = bare


async def call() -> None:
    assert_type(await configured([1, 2]), float)


task_manager.task(3)  # type: ignore[call-overload]  # not a function
task_manager.task(retries="3")  # type: ignore[call-overload]  # a number
task_manager.task(retry_on=[ValueError])  # type: ignore[call-overload]  # a type or a tuple of types

# In an app

app = FastAPI()
admin = TaskAdmin(app, task_manager, "/tasks", auth=("ops", "secret"), allowed_hosts=["tasks.example.com"])
assert_type(admin.path, str)
assert_type(links.grafana("https://grafana.example.com", tempo=None, service="shop"), dict[str, str])
ours = {"Ours": "https://traces.example.com/{trace_id}"}
TaskAdmin(app, task_manager, "/more", links=links.jaeger("https://jaeger.example.com") | links.datadog() | ours)
TaskAdmin(app, task_manager, "/wrong", links="https://traces.example.com")  # type: ignore[arg-type]  # a mapping
TaskAdmin(app, task_manager, display_func_args="yes")  # type: ignore[arg-type]  # True or False
task_manager.init_app(app)


@app.post("/signup")
def signup(email: str, tasks: ManagedBackgroundTasks = Depends(task_manager.get_tasks)) -> dict[str, str]:
    task_id = tasks.add_task(bare, email, tags={"customer": email}, idempotency_key=email, eager=False)
    assert_type(task_id, str)
    tasks.add_task(soon, expires=2.5)
    tasks.add_task("bare")  # type: ignore[arg-type]  # a function, not its name
    return {"task_id": task_id}


# Outside of a request

assert_type(task_manager.add_task(configured, [1, 2, 3], tags={"kind": "mean"}, idempotency_key="mean"), str)
task_manager.add_task(soon, expires=30)
task_manager.add_task(soon, expires="30")  # type: ignore[arg-type]  # seconds
task_manager.add_task(bare, "ada", tags=["kind"])  # type: ignore[arg-type]  # a mapping of texts
assert_type(task_manager.drain(timeout=5.0), bool)
assert_type(task_manager.force_flush(timeout=5.0), bool)
task_manager.start()
task_manager.stop(grace=1.0)
task_manager.close()


async def verbs(task_id: str) -> None:
    row = await task_manager.retry(task_id, actor="ops")
    assert_type(row.status, TaskStatus)
    assert_type((await task_manager.cancel(task_id)).reason, str | None)
    assert_type(await task_manager.adrain(), bool)
    detail = await task_manager.reader().get_task(task_id)
    if detail is not None:
        assert_type(TaskRecord.from_row(detail.task), TaskRecord)
    task_manager.cancel(task_id)  # type: ignore[unused-coroutine]  # must be awaited


# In a task


def inside() -> None:
    task_log("Numbers", level="debug", total=3, ratio=0.5, tags=["a"], nested={"a": 1})
    task_log(ValueError("anything is turned into text"))
    task_log("Level", level=30)  # type: ignore[arg-type]  # works at run time; a name is what is meant
    task_log(message="x")  # type: ignore[call-arg]  # the message is positional, so that message= may be an extra
    context = get_task_context()
    _ = context.attempt  # type: ignore[union-attr]  # None outside of a task
    if context is not None:
        assert_type(context, TaskContext)
        assert_type((context.task_id, context.attempt, context.trace_id), tuple[str, int, str | None])


def add(one: int, other: int) -> str:
    return str(one + other)


assert_type(wrap(add)(1, 2), str)
wrap(add)("1", 2)  # type: ignore[arg-type]  # a wrapped function keeps its parameters

# Observers


class Sync(TaskObserver):
    name = "sync"
    min_level = "warning"
    replay = False

    def startup(self) -> None:
        self.seen: list[str] = []

    def on_log(self, event: LogEvent) -> None:
        assert_type((event.task_id, event.timestamp, event.attempt), tuple[str, datetime, int])
        assert_type(event.extra, Mapping[str, Any])
        self.seen.append(event.message)
        event.level = "info"  # type: ignore[misc]  # events are frozen


class Async(TaskObserver):
    loop = "app"

    async def on_lifecycle(self, event: LifecycleEvent) -> None:
        assert_type(event.status, TaskStatus)
        assert_type((event.duration, event.error), tuple[float | None, str | None])


class Wrong(TaskObserver):
    def on_log(self, event: str) -> None:  # type: ignore[override]  # observers get a LogEvent
        """Nothing."""


class Batches(BatchObserver):
    async def on_batch(self, events: Sequence[LogEvent | LifecycleEvent]) -> None:
        for event in events:
            assert_type(event.func_name, str)


observers: list[TaskObserver] = [Sync(), Async(), Batches()]
assert_type(InMemoryLogger().log_events[0].message, str)

# Records and settings of tasks


def show(record: TaskRecord) -> None:
    assert_type((record.task_id, record.status, record.created_at), tuple[str, TaskStatus, datetime])
    assert_type((record.start_time, record.duration), tuple[datetime | None, float | None])
    assert_type((record.args, record.kwargs), tuple[tuple[Any, ...], Mapping[str, Any]])
    assert_type((record.retries_used, record.max_attempts, record.tags), tuple[int, int, Mapping[str, str]])
    assert_type(record.to_dict(), dict[str, Any])
    record.status = TaskStatus.SUCCESS  # type: ignore[misc]  # records are frozen
    _ = record.result  # type: ignore[attr-defined]  # results are not kept


assert_type(TaskConfig(retries=3).retry_policy.retries, int)

# Health


def watch(report: HealthReport) -> None:
    assert_type((report.state, report.time), tuple[str, int])
    for part in report.parts:
        assert_type((part.part, part.state, part.why, part.remedy), tuple[str, str, str, str])
        assert_type(part.figures, Mapping[str, int | float | str | None])
    report.state = "ok"  # type: ignore[misc]  # reports are frozen


assert_type(task_manager.health(), HealthReport)
assert_type(task_manager.is_ready, bool)
assert_type(task_manager.on_health(watch), Callable[[], None])
task_manager.on_health(print, 5)  # type: ignore[call-arg]  # once a second

# Errors


def errors() -> None:
    """Each is a TaskflowError, and what the standard library has for its kind."""
    every: Sequence[type[TaskflowError]] = [
        ConfigurationError,
        JournalError,
        ManagerClosedError,
        QueueFullError,
        SpoolError,
        StoreError,
        StoreUnavailableError,
        StoreVersionError,
        TaskArgumentError,
        TaskNotFoundError,
        TaskNotRegisteredError,
        TaskStateError,
        UnsupportedParameterError,
    ]
    values: Sequence[type[ValueError]] = [ConfigurationError, UnsupportedParameterError, TaskArgumentError]
    lookups: Sequence[type[LookupError]] = [TaskNotFoundError, TaskNotRegisteredError]
    runtime: Sequence[type[RuntimeError]] = [QueueFullError, ManagerClosedError]
    wrong: type[ValueError] = QueueFullError  # type: ignore[assignment]  # a full queue is no wrong value
    del every, values, lookups, runtime, wrong


# Telemetry

telemetry = setup_telemetry(app, service_name="shop", endpoint="http://localhost:4318", headers={"x-key": "1"})
telemetry = setup_telemetry(durable=True)
span_processor: SpanProcessor = DurableSpanProcessor()
log_processor: LogRecordProcessor = DurableLogRecordProcessor(dir=Path("buffer"), shutdown_timeout=2.0)
assert_type(span_processor.force_flush(1000), bool)
DurableSpanProcessor(OTLPExporter.tempo(), dir="buffer").shutdown(timeout=2.0)
DurableLogRecordProcessor(OTLPExporter.loki()).shutdown()
DurableSpanProcessor("http://localhost:4318")  # type: ignore[arg-type]  # an OTLPExporter
assert_type((telemetry.flush(1.0), telemetry.shutdown(1.0), telemetry.failed_exports), tuple[bool, bool, int])

# Durable export


def is_told(attempt: FinishedAttempt) -> bool:
    assert_type((attempt.task_id, attempt.func_name, attempt.attempt), tuple[str, str, int])
    assert_type((attempt.outcome, attempt.duration, attempt.error), tuple[str, float, str | None])
    assert_type((attempt.tags, attempt.log_count), tuple[Mapping[str, str], int])
    attempt.outcome = "failed"  # type: ignore[misc]  # frozen
    return attempt.duration > 1.0


def without_body(record: SpanData | LogData) -> SpanData | LogData | None:
    return replace(record, body="") if isinstance(record, LogData) else record


exporter = OTLPExporter(
    "https://otlp.example.com",
    headers={"api-key": "..."},
    signals=("traces", "logs"),
    protocol="http/protobuf",
    name="backend",
    min_level="info",
    max_lines_per_second=100,
    before_export=without_body,
    task_logs="logs",
    detail="on_problem",
    slow=5,
    timeout=10.0,
    compression="gzip",
    certificate=Path("ca.pem"),
    client_certificate="client.pem",
    client_key="client.key",
    max_bytes=2**30,
    max_age=86400,
    schedule_delay=0.5,
)
exporter = OTLPExporter(detail=is_told)
presets: list[TaskObserver] = [
    OTLPExporter.collector(),
    OTLPExporter.tempo("http://tempo:4318"),
    OTLPExporter.loki("http://loki:3100", min_level="info"),
    OTLPExporter.datadog_agent(name="agent"),
]
TaskManager(observers=[exporter, *presets])
OTLPExporter(headers=["api-key"])  # type: ignore[arg-type]  # a mapping of texts
OTLPExporter(task_logs="spans")  # type: ignore[arg-type]  # "both", "logs" or "events"
OTLPExporter(detail="never")  # type: ignore[arg-type]  # "always", "on_problem" or a function
