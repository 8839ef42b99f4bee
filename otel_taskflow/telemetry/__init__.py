"""Spans, log records and metrics of tasks, through the app's own OpenTelemetry providers.

Only the OpenTelemetry API is imported here.
"""

from otel_taskflow.telemetry.live import OpenTelemetry
from otel_taskflow.telemetry.none import NoTelemetry
from otel_taskflow.telemetry.quiet import quiet
from otel_taskflow.telemetry.records import LogRecordConsumer

__all__ = ["LogRecordConsumer", "NoTelemetry", "OpenTelemetry", "quiet"]
