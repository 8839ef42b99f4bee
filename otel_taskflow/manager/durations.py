"""Seconds that a method of the manager is given."""

from __future__ import annotations

import math
from typing import Any

from otel_taskflow.errors import ConfigurationError

LONGEST = 100 * 365 * 86400.0
"""What is longer, or infinite, counts as this much: no clock of the system goes further."""


def seconds(given: str, value: Any) -> float:
    """The value as seconds from 0 to 100 years. Raises ConfigurationError; ``given`` is how it was written: ``grace={!r}``."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or (isinstance(value, float) and math.isnan(value)):
        raise ConfigurationError(f"{given.format(value)} must be seconds, as a number")
    return LONGEST if value >= LONGEST else max(0.0, float(value))
