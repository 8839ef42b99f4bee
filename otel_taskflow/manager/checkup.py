"""One report of all parts of a runtime."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from time import time_ns

from otel_taskflow.health import DEGRADED, HealthReport, PartHealth, report_of
from otel_taskflow.values.text import as_text

Source = Callable[[], Iterable[PartHealth]]


class Checkup:
    """Asks each source, whatever one of them raises. Cheap: nobody counts rows or reads a journal for it."""

    def __init__(self, *sources: tuple[str, Source]) -> None:
        self._sources = sources

    def report(self) -> HealthReport:
        """How everything is now. Never raises."""
        return report_of((part for name, source in self._sources for part in _ask(name, source)), time_ns())


def of_buffers() -> Iterator[PartHealth]:
    """The parts behind ``DurableSpanProcessor`` and its like in this process."""
    # Whoever has a buffer has loaded this; for the others it is not loaded, with all senders.
    sharing = sys.modules.get("otel_taskflow.setup.sharing")
    if sharing is not None:
        yield from sharing.buffer_health()


def _ask(name: str, source: Source) -> Sequence[PartHealth]:
    try:
        return list(source())
    except Exception as error:  # noqa: BLE001 - whatever one part raises, the others have their say
        return [PartHealth(name, DEGRADED, f"it cannot be looked at: {as_text(error)}", "see the log")]


__all__ = ["Checkup", "of_buffers"]
