"""``span.add_event`` on a recording span of the OpenTelemetry SDK. Its limit on events is the SDK's default, 128."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks.providers import null_providers


def with_logger(folder: Path, work: Callable[[Callable[[str, int], None]], Any]) -> Any:
    """See ``sides``."""
    tracer = null_providers().tracer_provider.get_tracer("bench")
    with tracer.start_as_current_span("task") as span:

        def line(address: str, count: int) -> None:
            span.add_event("sending mail", {"address": address, "count": count})

        return work(line)
