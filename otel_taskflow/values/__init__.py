"""Values as they may be stored, exported and shown: levels, limits, secrets, texts. Nothing here raises in a task."""

from otel_taskflow.values.attributes import AttributeValue, flatten
from otel_taskflow.values.levels import (
    LEVELS,
    from_stdlib,
    normalize_level,
    severity,
    severity_text,
    stdlib_level,
)
from otel_taskflow.values.limits import Limits
from otel_taskflow.values.lines import iso_millis, one_line, record_line
from otel_taskflow.values.redaction import Redaction
from otel_taskflow.values.sanitize import Sanitizer

__all__ = [
    "LEVELS",
    "AttributeValue",
    "Limits",
    "Redaction",
    "Sanitizer",
    "flatten",
    "from_stdlib",
    "iso_millis",
    "normalize_level",
    "one_line",
    "record_line",
    "severity",
    "severity_text",
    "stdlib_level",
]
