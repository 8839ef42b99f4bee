"""Seconds that a method of the manager is given."""

from __future__ import annotations

import math
from typing import Any

from otel_taskflow.errors import ConfigurationError, shown
from otel_taskflow.model import LONGEST


def seconds(given: str, value: Any) -> float:
    """The value as seconds, from 0 to 100 years: no clock goes further.

    ``given`` is how it was written: ``grace={}``. Raises ConfigurationError for what is no number.
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or (isinstance(value, float) and math.isnan(value)):
        raise ConfigurationError(f"{given.format(shown(value))} must be seconds, as a number")
    return float(min(max(value, 0), LONGEST))
