"""The spool: encoded OTLP messages that wait in one SQLite file until a destination has them. Knows no HTTP, no protobuf."""

from otel_taskflow.spool.messages import (
    Backlog,
    Counters,
    Limits,
    Message,
    Quarantined,
    Source,
    SpoolWrite,
    Stored,
)
from otel_taskflow.spool.spool import Spool

__all__ = ["Backlog", "Counters", "Limits", "Message", "Quarantined", "Source", "Spool", "SpoolWrite", "Stored"]
