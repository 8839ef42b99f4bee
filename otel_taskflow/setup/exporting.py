"""Exporters that say whether they delivered. The SDK's ``force_flush`` and ``shutdown`` do not: they return True for lost data."""

from __future__ import annotations

import threading
from typing import Any


class Ledger:
    """Counts export calls that failed, over all signals."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.failed = 0

    def add_failure(self) -> None:
        """One batch was not accepted."""
        with self._lock:
            self.failed += 1


def judged(exporter: Any, ledger: Ledger) -> Any:
    """The same exporter, with the results of ``export`` kept in the ledger."""
    export = exporter.export

    def judge(*args: Any, **kwargs: Any) -> Any:
        try:
            result = export(*args, **kwargs)
        except Exception:
            ledger.add_failure()
            raise
        if getattr(result, "name", "SUCCESS") != "SUCCESS":
            ledger.add_failure()
        return result

    exporter.export = judge
    return exporter
