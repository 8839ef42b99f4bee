"""Several things done at once, all in one time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

_logger = logging.getLogger("otel_taskflow")


def run_with_deadline(steps: Sequence[Callable[[], Any]], timeout: float) -> bool:
    """Run the steps at once on daemon threads; True if all came back well in time."""
    results: list[bool] = []

    def run(step: Callable[[], Any]) -> None:
        try:
            results.append(step() is not False)
        except Exception as error:
            _logger.debug("otel_taskflow: ending telemetry failed", exc_info=error)
            results.append(False)

    threads = [threading.Thread(target=run, args=(step,), name="otel_taskflow-flush", daemon=True) for step in steps]
    deadline = monotonic() + timeout
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - monotonic()))
    return len(results) == len(steps) and all(results)


__all__ = ["run_with_deadline"]
