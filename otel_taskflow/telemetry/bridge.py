"""Whether a standard library logger's lines already leave through OpenTelemetry."""

from __future__ import annotations

import logging

from otel_taskflow.values.levels import stdlib_level


def is_bridged(name: str, level: str) -> bool:
    """True if a handler of OpenTelemetry hears this logger's lines of a level: then they are log records already.

    The logger's own level does not matter: a line that was captured has passed it.
    """
    number = stdlib_level(level)
    logger: logging.Logger | None = logging.getLogger(name)
    while logger is not None:
        if any(handler.level <= number and _is_ours(handler) for handler in logger.handlers):
            return True
        logger = logger.parent if logger.propagate else None
    return False


def _is_ours(handler: logging.Handler) -> bool:
    return any(kind.__module__.startswith("opentelemetry.") for kind in type(handler).__mro__)
