"""Where ``setup_telemetry(durable=True)`` sends, for the TaskManagers of this process.

A manager without an exporter of its own lets its outbox export tasks there. Nothing goes out twice: the spans and lines that an
outbox exports come from its journal and never reach the app's providers, nor the durable processors behind them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from otel_taskflow.export import OTLPExporter

_destinations: list[OTLPExporter] = []


def durable_destinations() -> Sequence[OTLPExporter]:
    """Where ``setup_telemetry(durable=True)`` of this process sends; empty if it was not called, or has been shut down.

    To be looked up late: an app may call it after it has made its TaskManager.
    """
    return tuple(_destinations)


def add_durable_destination(exporter: OTLPExporter) -> Callable[[], None]:
    """Make it known; returns what takes it back."""
    _destinations.append(exporter)
    return lambda: _destinations.remove(exporter) if exporter in _destinations else None


__all__ = ["add_durable_destination", "durable_destinations"]
