"""What an SDK's providers export with, for people."""

from __future__ import annotations

import io

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, ConsoleLogRecordExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

from otel_taskflow.telemetry.processors import processors_of


def test_processors_and_readers_are_told_with_their_exporters() -> None:
    loggers, tracers = LoggerProvider(shutdown_on_exit=False), TracerProvider(shutdown_on_exit=False)
    loggers.add_log_record_processor(BatchLogRecordProcessor(ConsoleLogRecordExporter()))
    tracers.add_span_processor(SpanProcessor())
    reader = PeriodicExportingMetricReader(ConsoleMetricExporter(out=io.StringIO()))
    meters = MeterProvider([reader], shutdown_on_exit=False)
    try:
        assert list(processors_of(loggers)) == ["BatchLogRecordProcessor > ConsoleLogRecordExporter"]
        assert list(processors_of(tracers)) == ["SpanProcessor"]
        assert list(processors_of(meters)) == ["PeriodicExportingMetricReader > ConsoleMetricExporter"]
    finally:
        loggers.shutdown()
        meters.shutdown()


class Closed:
    """A provider of somebody else's, which does not like to be asked."""

    def __getattr__(self, name: str) -> object:
        raise RuntimeError(name)


def test_of_a_provider_that_does_not_tell_nothing_is_said() -> None:
    assert list(processors_of(object())) == []
    assert list(processors_of(Closed())) == []
