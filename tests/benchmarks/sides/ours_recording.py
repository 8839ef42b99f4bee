"""otel_taskflow with live spans, log records and metrics through SDK providers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks.providers import null_providers
from tests.benchmarks.sides import ours


def with_logger(folder: Path, work: Callable[[Callable[[str, int], None]], Any]) -> Any:
    """See ``sides``."""
    return ours.with_logger(folder, work, **null_providers()._asdict())


def make_side(folder: Path, kind: str) -> ours.Ours:
    """See Side."""
    return ours.Ours(folder, kind, **null_providers()._asdict())
