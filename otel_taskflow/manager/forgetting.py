"""What a journal leaves elsewhere when its files go."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from otel_taskflow.journal.left import mark_left
from otel_taskflow.ports import StoreWriter

_logger = logging.getLogger("otel_taskflow")


def may_go(journal_id: str, root: Path | None, store: StoreWriter) -> bool:
    """Whether the files of a journal may go, all of which was consumed. Tasks that are left to the next process need a mark.

    Never raises: while the store does not say, or no mark can be made, the files are the mark.
    """
    try:
        if root is not None and journal_id in store.owners():
            mark_left(root, journal_id)
    except Exception:  # noqa: BLE001 - a store of the user's own may raise anything
        return False
    return True


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
