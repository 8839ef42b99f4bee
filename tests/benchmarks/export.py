"""Finished spans of five events by the second: from the spool's file, and through the SDK's batch processor, to one sink."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from time import perf_counter, time_ns
from typing import Any

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from otel_taskflow.export import OTLPExporter
from otel_taskflow.export.sender import Sender
from otel_taskflow.spool import Message, Source, Spool
from tests.benchmarks.figures import Figure
from tests.benchmarks.measuring import Load, cpu_seconds
from tests.benchmarks.running import Result
from tests.benchmarks.sink import sink

SIDES = ("ours", "ours_uncompressed", "sdk", "sdk_gzip")
ROUNDS = 2
STORED_AT_ONCE = 1000
PORTIONS = 4
"""Of them the best counts, on every side: it is the one that the rest of the machine disturbed least."""


def measure(side: str, load: Load) -> Result:
    """One side."""
    with sink() as url:
        if side.startswith("sdk"):
            compression = Compression.Gzip if side == "sdk_gzip" else Compression.NoCompression
            return _through_sdk(url, compression, load.pick(1_500, 500))
        exporter = OTLPExporter(url, signals=("traces",), compression="none" if side == "ours_uncompressed" else "gzip")
        return _from_spool(exporter, load, load.pick(12_000, 5_000))


def _through_sdk(url: str, compression: Compression, count: int) -> Result:
    """The processor's defaults, but for a queue that is long enough for it to lose nothing."""
    exporter = OTLPSpanExporter(f"{url}/v1/traces", compression=compression)
    processor = BatchSpanProcessor(exporter, max_queue_size=max(count, 2_048))
    spans = finished_spans(count)

    def send() -> None:
        for span in spans:
            processor.on_end(span)
        assert processor.force_flush(60_000)

    return _best([_timed(send, count) for _ in range(PORTIONS)])


def _from_spool(exporter: OTLPExporter, load: Load, count: int) -> Result:
    spool = Spool(load.folder / "spool.db", {})
    spool.open()
    source, bodies = _encoded(finished_spans(STORED_AT_ONCE))
    results = []
    for _ in range(PORTIONS):
        for _ in range(count // STORED_AT_ONCE):
            spool.add([Message("otlp", "traces", source, _with_own_ids(body), time_ns()) for body in bodies])
        sender = Sender(exporter.resolve({}), spool, load.folder)
        results.append(_timed(lambda sender=sender: _send_all(sender), count))  # type: ignore[misc]
        sender.stop(1)
    assert spool.delivered("otlp", "traces").delivered == count * PORTIONS
    return _best(results)


def _send_all(sender: Sender) -> None:
    sender.start()
    assert sender.flush(60)


def _best(results: Sequence[Result]) -> Result:
    return {"rate": max(each["rate"] for each in results), "cpu": min(each["cpu"] for each in results)}


def _timed(work: Callable[[], None], count: int) -> Result:
    begin, begin_cpu = perf_counter(), cpu_seconds()
    work()
    cpu, seconds = cpu_seconds() - begin_cpu, perf_counter() - begin
    return {"rate": count / seconds, "cpu": cpu / count * 1e6}


def _with_own_ids(body: bytes) -> bytes:
    ids = os.urandom(24)
    own = b"\x0a\x10" + ids[:16] + b"\x12\x08" + ids[16:]
    return own + body[len(own) :]


def _encoded(spans: Sequence[ReadableSpan]) -> tuple[Source, Sequence[bytes]]:
    request: Any = encode_spans(spans)
    resource = request.resource_spans[0]
    scope = resource.scope_spans[0]
    source = Source(resource.resource.SerializeToString(), "", scope.scope.SerializeToString(), "")
    return source, [span.SerializeToString() for span in scope.spans]


def finished_spans(count: int) -> list[ReadableSpan]:
    """Spans as tasks of five lines have them."""
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("otel_taskflow", "0.1.0")
    return [_span(tracer, number) for number in range(count)]


def _span(tracer: Any, number: int) -> ReadableSpan:
    attributes = {
        "messaging.system": "otel_taskflow",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "send_email",
        "messaging.message.id": os.urandom(16).hex(),
        "otel_taskflow.attempt.number": 1,
        "otel_taskflow.attempt.outcome": "succeeded",
        "otel_taskflow.queue.wait": 0.00123 * number,
    }
    with tracer.start_as_current_span("process send_email", attributes=attributes) as span:
        for step in range(5):
            span.add_event(
                "task.log", {"message": f"step {step} of order {number}", "level": "info", "order_id": number}
            )
    return span  # type: ignore[no-any-return]


def figures(results: dict[str, Result]) -> list[Figure]:
    """Ours by the SDK's."""
    told = []
    for side, title, other, theirs, is_alike in (
        ("ours", "gzip", "sdk_gzip", "SDK, gzip", True),
        ("ours_uncompressed", "uncompressed", "sdk", "SDK, uncompressed", True),
        ("ours", "gzip", "sdk", "SDK, uncompressed", False),
    ):
        own, their = results[side], results[other]
        limit, aim = (10.0, 15.0) if is_alike else (None, None)
        name = f"stored spans sent, {title}"
        told.append(Figure(name, own["rate"], "spans/s", theirs, their["rate"], limit, aim, at_least=True))
        told.append(Figure(f"CPU of one, {title}", own["cpu"], "us", theirs, their["cpu"]))
    return told
