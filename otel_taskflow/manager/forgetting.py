"""What is left of a journal elsewhere when its files are gone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

_logger = logging.getLogger("otel_taskflow")


def forget_everywhere(journal_id: str, keepers: Iterable[Callable[[str], None]]) -> None:
    """Let each keeper of an offset forget it. Never raises: an offset too many does no harm, unlike a shutdown that fails."""
    for forget in keepers:
        _try(forget, journal_id)


def _try(forget: Callable[[str], None], journal_id: str) -> None:
    try:
        forget(journal_id)
    except Exception as error:  # noqa: BLE001 - a store of the user's own may raise anything
        _logger.warning(
            "otel_taskflow: all tasks are kept, but the offset of the finished journal %s could not be removed: %s",
            journal_id,
            error,
        )
