"""Export: destinations, what their answers mean, and the senders that empty the spool. Knows no tasks."""

from otel_taskflow.export.destination import Destination, Endpoint, Filters, Limits
from otel_taskflow.export.exporter import OTLPExporter, check_exporters
from otel_taskflow.export.finished import FinishedAttempt

__all__ = [
    "Destination",
    "Endpoint",
    "Filters",
    "FinishedAttempt",
    "Limits",
    "OTLPExporter",
    "check_exporters",
]
