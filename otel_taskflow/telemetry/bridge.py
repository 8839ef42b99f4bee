"""Whether a standard library logger's lines already leave through OpenTelemetry."""

from __future__ import annotations

import logging


def is_bridged(name: str) -> bool:
    """True if a handler of OpenTelemetry hears this logger: then its lines are log records already."""
    logger: logging.Logger | None = logging.getLogger(name)
    while logger is not None:
        if any(_is_ours(handler) for handler in logger.handlers):
            return True
        logger = logger.parent if logger.propagate else None
    return False


def _is_ours(handler: logging.Handler) -> bool:
    return any(kind.__module__.startswith("opentelemetry.") for kind in type(handler).__mro__)
