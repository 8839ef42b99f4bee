"""Apps of their own process that export through durable processors, and how tests drive them."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.forkserver.client import Forked

START = """
import logging, os, sys, time
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk._logs import LoggerProvider
from otel_taskflow import DurableLogRecordProcessor, DurableSpanProcessor
from otel_taskflow.export import OTLPExporter

url, folder = sys.argv[1:3]
resource = Resource.create({"service.name": "shop"})
exporter = OTLPExporter(url, timeout=2, schedule_delay=0.05)
processor = DurableSpanProcessor(exporter, dir=folder)
provider = TracerProvider(resource=resource, shutdown_on_exit=False)
provider.add_span_processor(processor)
tracer = provider.get_tracer("app", "1.2")

def end_span(name, events=1):
    span = tracer.start_span(name, attributes={"key": "value"})
    for number in range(events):
        span.add_event("step", {"number": number})
    span.end()
    return f"{span.get_span_context().span_id:016x}"
"""

FLUSH = START + "print(provider.force_flush(20000))\nprovider.shutdown()\n"


def start(text: str, *args: object, **environ: str) -> Forked:
    return Forked(["-c", text, *map(str, args)], {**os.environ, **environ})


def run(text: str, *args: object, **environ: str) -> str:
    process = start(text, *args, **environ)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out.strip()


def journals(folder: Path) -> list[str]:
    return sorted(each.name for each in (folder / "journal").iterdir())


def different_versions(messages: Iterable[Any]) -> list[str]:
    """Ids of spans that came more than once and not the same each time."""
    versions = defaultdict(set)
    for span in messages:
        versions[span.span_id.hex()].add(span.SerializeToString(deterministic=True))
    return [span_id for span_id, found in versions.items() if len(found) > 1]
