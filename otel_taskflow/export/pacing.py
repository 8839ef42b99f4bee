"""How long to wait before the next try."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Pacing:
    """Pauses that double from ``first`` to ``longest`` seconds, each drawn by chance so that senders do not march in step."""

    first: float = 1.0
    longest: float = 60.0

    def pause(self, failures: int) -> float:
        """Seconds to wait after the n-th failure in a row, n from 1."""
        base = min(self.first * 2.0 ** min(failures - 1, 32), self.longest / 2)
        return random.uniform(base, 2 * base)  # noqa: S311 - spreads load, guards nothing


__all__ = ["Pacing"]
