"""``on_end`` of a span processor: into a journal on disk (ours), and into a queue in memory (the SDK's)."""

from __future__ import annotations

import os
from time import sleep

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from otel_taskflow import DurableSpanProcessor, OTLPExporter
from tests.benchmarks.export import finished_spans
from tests.benchmarks.figures import Figure
from tests.benchmarks.measuring import Load, cpu_seconds, durations, percentile
from tests.benchmarks.running import Result
from tests.benchmarks.sink import sink

SIDES = ("durable", "batch")
ROUNDS = 2
BURST = 20
PAUSE = 0.01
"""Seconds between two bursts: 2,000 spans a second, which the SDK's pipeline can still send."""


def measure(side: str, load: Load) -> Result:
    """Spans of five events in small bursts, on their way to a sink; then what all of it cost, the sending too."""
    os.environ.pop("OTEL_TASKFLOW_TESTING", None)
    bursts = load.pick(150, 50)
    spans = finished_spans(bursts * BURST)
    with sink() as url:
        processor = _processor(side, url, load)
        begin = cpu_seconds()
        taken: list[int] = []
        for at in range(0, len(spans), BURST):
            sleep(PAUSE)
            taken += durations(lambda index, at=at: processor.on_end(spans[at + index]), BURST)  # type: ignore[misc]
        assert processor.force_flush(60_000)
        cpu = cpu_seconds() - begin
    return {
        "p50": percentile(taken, 0.5) / 1e3,
        "p99": percentile(taken, 0.99) / 1e3,
        "cpu": cpu / len(spans) * 1e6,
    }


def _processor(side: str, url: str, load: Load) -> SpanProcessor:
    if side == "durable":
        return DurableSpanProcessor(OTLPExporter(url), dir=load.folder / "state")
    return BatchSpanProcessor(OTLPSpanExporter(f"{url}/v1/traces"))


def figures(results: dict[str, Result]) -> list[Figure]:
    """Ours by the SDK's."""
    own, other = results["durable"], results["batch"]
    return [
        Figure("on_end of a span of 5 events, p50", own["p50"], "us", "BatchSpanProcessor", other["p50"]),
        Figure("on_end of a span of 5 events, p99", own["p99"], "us", "BatchSpanProcessor", other["p99"]),
        Figure("CPU of a span, sent and all", own["cpu"], "us", "BatchSpanProcessor", other["cpu"]),
    ]
