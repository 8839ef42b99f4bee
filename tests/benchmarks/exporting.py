"""What a task of five lines costs when it is exported, all threads together, and how many events the outbox writes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from time import perf_counter
from typing import Any

from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from otel_taskflow import OTLPExporter, task_log
from otel_taskflow.consumers.store import StoreConsumer
from otel_taskflow.events import Event
from otel_taskflow.model import SpanIdentity
from otel_taskflow.ports import Consumer
from otel_taskflow.spool import Spool
from otel_taskflow.stores.opening import open_store
from tests.benchmarks.asgi import lifespan
from tests.benchmarks.figures import Figure
from tests.benchmarks.measuring import Load, cpu_seconds
from tests.benchmarks.running import Result
from tests.benchmarks.sides.ours import Ours
from tests.benchmarks.sink import sink
from tests.outbox.stage import HEADER, Stage, ended, enqueued, logged, piece, started

SIDES = ("nobody", "exporter", "sdk", "outbox", "store")
ROUNDS = 2
LINES = 5
SLICE = 200


def measure(side: str, load: Load) -> Result:
    """A task's whole way to the sink, or one consumer of the journal alone."""
    if side in ("outbox", "store"):
        return _consumed(side, load)
    with sink() as url:
        return asyncio.run(_tasks(side, url, load))


# A task's whole way


async def _tasks(side: str, url: str, load: Load) -> Result:
    settings, flush = {"nobody": _nobody, "exporter": _exporter, "sdk": _sdk}[side](url)
    made = Ours(load.folder, "async", **settings)
    count = load.pick(1500, 500)

    @made.manager.task
    async def send_email() -> None:
        for number in range(LINES):
            task_log("sending mail", address="ada@example.org", count=number)

    async def run(tasks: int) -> None:
        for index in range(tasks):
            made.manager.add_task(send_email)
            if index % 50 == 49:
                await asyncio.sleep(0)
        assert await made.manager.adrain(60)
        await asyncio.to_thread(flush, made)

    async with lifespan(made.app):
        await run(100)
        begin = cpu_seconds()
        await run(count)
        return {"cpu": (cpu_seconds() - begin) / count * 1e6}


Flush = Callable[[Ours], None]


def _nobody(_: str) -> tuple[dict[str, Any], Flush]:
    return {}, lambda made: None


def _exporter(url: str) -> tuple[dict[str, Any], Flush]:
    def flush(made: Ours) -> None:
        assert made.manager.force_flush(60)

    return {"observers": [OTLPExporter(url)]}, flush


def _sdk(url: str) -> tuple[dict[str, Any], Flush]:
    """The processors' defaults, but for queues that are long enough for them to lose nothing."""
    spans, records = TracerProvider(), LoggerProvider()
    spans.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{url}/v1/traces"), max_queue_size=100_000))
    records.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(f"{url}/v1/logs"), max_queue_size=100_000))

    def flush(_: Ours) -> None:
        assert spans.force_flush(60_000)
        assert records.force_flush(60_000)

    return {"tracer_provider": spans, "logger_provider": records}, flush


# A consumer alone


def _consumed(side: str, load: Load) -> Result:
    consumer = _outbox(load) if side == "outbox" else _store(load)
    lines, tasks = load.pick(8_000, 4_000), load.pick(1_000, 500)
    _write(consumer, _of_tasks(50))
    of_lines, of_tasks = list(_of_lines(lines)), list(_of_tasks(tasks))
    line_cpu, _ = _write(consumer, of_lines)
    task_cpu, seconds = _write(consumer, of_tasks)
    return {"line": line_cpu / lines * 1e6, "task": task_cpu / tasks * 1e6, "rate": len(of_tasks) / seconds}


def _outbox(load: Load) -> Consumer:
    spool = Spool(load.folder / "spool.db", {})
    spool.open()
    return Stage(spool).outbox


def _store(load: Load) -> Consumer:
    store = open_store(load.folder / "tasks.db", load.folder)
    store.writer.open()
    return StoreConsumer(store.writer, HEADER.journal_id)


_written = 0


def _write(consumer: Consumer, events: Iterator[Event] | Sequence[Event]) -> tuple[float, float]:
    """Processor time and seconds."""
    global _written  # noqa: PLW0603 - the sequence numbers of one journal, in a process of one measurement
    events = list(events)
    slices = []
    for at in range(0, len(events), SLICE):
        slices.append(piece(*events[at : at + SLICE], first=_written + 1))
        _written = slices[-1].last
    begin, begin_cpu = perf_counter(), cpu_seconds()
    for each in slices:
        consumer.consume(each)
    return cpu_seconds() - begin_cpu, perf_counter() - begin


def _of_tasks(count: int) -> Iterator[Event]:
    for _ in range(count):
        yield from _of_task(LINES)


def _of_lines(count: int) -> Iterator[Event]:
    for _ in range(count // 1000):
        yield from _of_task(1000)


def _of_task(lines: int) -> Iterator[Event]:
    task_id, trace_id = os.urandom(16).hex(), os.urandom(16).hex()
    sent = SpanIdentity(trace_id, os.urandom(8).hex(), None, 1)
    run = SpanIdentity(trace_id, os.urandom(8).hex(), sent.span_id, 1)
    yield enqueued(task_id, sent)._replace(carrier={"traceparent": f"00-{trace_id}-{sent.span_id}-01"})
    yield started(task_id, span=run)
    for seq in range(1, lines + 1):
        yield logged(seq, task_id=task_id, address="ada@example.org", count=seq)
    yield ended(task_id=task_id, lines=lines)


def figures(results: dict[str, Result]) -> list[Figure]:
    """The exporter by the SDK's pipeline, and the outbox by the store, which reads the same journal."""
    bare = results["nobody"]["cpu"]
    own, theirs = results["exporter"]["cpu"], results["sdk"]["cpu"]
    outbox, store = results["outbox"], results["store"]
    against = "SDK's batch processors"
    return [
        Figure("CPU of a task of 5 lines, spans and lines exported", own, "us", against, theirs, 1.0),
        Figure("CPU of exporting it alone", own - bare, "us", against, theirs - bare),
        Figure("CPU of a line in the outbox, spool included", outbox["line"], "us", "store", store["line"], aim=25.0),
        Figure("CPU of a task of 5 lines in the outbox", outbox["task"], "us", "store", store["task"], aim=120.0),
        Figure("events that the outbox writes", outbox["rate"], "events/s", "store", store["rate"], at_least=True),
    ]
