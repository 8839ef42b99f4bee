"""Where ``setup_telemetry(durable=True)`` sends, for the TaskManagers of this process.

A manager whose tasks would go to the providers of the set-up lets its outbox export them there. Nothing goes out twice: the spans
and lines that an outbox exports come from its journal and never reach the app's providers, nor the durable processors behind them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from otel_taskflow.export import Destination, OTLPExporter


class _Owned(NamedTuple):
    exporter: OTLPExporter
    tracers: Any
    loggers: Any


_owned: list[_Owned] = []


def durable_destinations() -> Sequence[OTLPExporter]:
    """Where ``setup_telemetry(durable=True)`` of this process sends; empty if it was not called, or has been shut down."""
    return tuple(each.exporter for each in _owned)


def destinations_of(tracers: Any, loggers: Any) -> Iterator[Destination]:
    """Where what would go to these providers is sent, signal by signal; None for the global ones.

    To be looked up late: an app may call ``setup_telemetry`` after it has made its TaskManager.
    """
    if not _owned:
        return
    from opentelemetry import _logs, trace

    used = {
        "traces": trace.get_tracer_provider() if tracers is None else tracers,
        "logs": _logs.get_logger_provider() if loggers is None else loggers,
    }
    for each in _owned:
        destination = each.exporter.destination
        theirs = {"traces": each.tracers, "logs": each.loggers}
        signals = [signal for signal, provider in used.items() if provider is theirs[signal]]
        if destination is not None and signals:
            yield replace(destination, endpoints={signal: destination.endpoints[signal] for signal in signals})


def add_durable_destination(exporter: OTLPExporter, tracers: Any, loggers: Any) -> Callable[[], None]:
    """Make it known, with the providers whose spans and log records go there; returns what takes it back."""
    owned = _Owned(exporter, tracers, loggers)
    _owned.append(owned)
    return lambda: _owned.remove(owned) if owned in _owned else None


__all__ = ["add_durable_destination", "destinations_of", "durable_destinations"]
