"""Where telemetry goes: as the environment says, and as the spool's file remembers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from otel_taskflow.cli.diagnosis.findings import NOTE, OK, PROBLEM, Finding
from otel_taskflow.errors import ConfigurationError, SpoolError
from otel_taskflow.export import Destination, OTLPExporter
from otel_taskflow.export.environment import is_disabled
from otel_taskflow.export.reaching import try_endpoint
from otel_taskflow.setup.telemetry import DESTINATION
from otel_taskflow.spool.inspecting import inspect

_BY_ENVIRONMENT = frozenset({OTLPExporter.name, DESTINATION})
"""Destinations whose endpoint the environment may say."""


def check(spool_file: Path) -> Iterator[Finding]:
    """Try each endpoint that is known, once."""
    known = _in(spool_file)
    if is_disabled(os.environ):
        yield Finding(NOTE, "OTEL_SDK_DISABLED=true: nothing is sent")
    else:
        yield from _try_all(is_meant=_is_set())
    for name in sorted(known - _BY_ENVIRONMENT):
        yield Finding(
            NOTE,
            f"{name} is in the spool; only an app with a destination of this name knows its endpoint",
            "see the page Health of that app for its state; without one nobody sends what waits",
        )


def _try_all(*, is_meant: bool) -> Iterator[Finding]:
    try:
        destination = OTLPExporter().resolve(os.environ)
    except ConfigurationError as error:
        yield Finding(PROBLEM, str(error))
        return
    yield from (_try(destination, signal, is_meant=is_meant) for signal in destination.signals)


def _try(destination: Destination, signal: str, *, is_meant: bool) -> Finding:
    endpoint = destination.endpoints[signal]
    reached = try_endpoint(endpoint, signal)
    text = f"{signal} to {endpoint.url}: {reached.why}"
    if reached.is_well:
        return Finding(OK, text)
    if is_meant:
        return Finding(PROBLEM, text, reached.remedy)
    return Finding(NOTE, f"{text}; it is the default, and the app may name another")


def _is_set() -> bool:
    """Whether the environment names an endpoint."""
    return any(name.startswith("OTEL_EXPORTER_OTLP") and name.endswith("ENDPOINT") for name in os.environ)


def _in(spool_file: Path) -> frozenset[str]:
    try:
        return (
            frozenset(each.destination for each in inspect(spool_file).queues) if spool_file.exists() else frozenset()
        )
    except (SpoolError, OSError):  # The check of the spool tells it.
        return frozenset()
