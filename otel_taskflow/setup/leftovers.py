"""What dead processes have left in journals of encoded messages: it goes into the spool, whoever finds it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from otel_taskflow.consumers.slices import Decoder
from otel_taskflow.errors import SpoolError
from otel_taskflow.journal.folder import Orphan, orphans
from otel_taskflow.journal.otlp import decode_otlp
from otel_taskflow.setup.spooling import SpoolConsumer
from otel_taskflow.spool import Spool

NAMESPACE = "otel_taskflow.sdk"
"""Of these journals. No TaskManager of another name touches them."""
STEP = 0.05
"""Seconds between two looks of who waits for a round whether that is over."""

_logger = logging.getLogger("otel_taskflow")


class Leftovers:
    """Looks for the dead in one folder. Any thread may."""

    def __init__(self, root: Path, spool: Spool) -> None:
        self._root = root
        self._spool = spool
        self._reported: set[str] = set()
        self._one_at_a_time = threading.Lock()

    def take(self, is_over: Callable[[], bool]) -> bool:
        """One round, after one that is under way; False if ``is_over`` was true before its end. Raises SpoolError.

        What is half done is done again in the next round.
        """
        while not self._one_at_a_time.acquire(timeout=STEP):
            if is_over():
                return False
        try:
            return self._take_all(is_over)
        finally:
            self._one_at_a_time.release()

    def _take_all(self, is_over: Callable[[], bool]) -> bool:
        for orphan in orphans(self._root, NAMESPACE, self._report):
            with closing(orphan):
                self._try_to_take(orphan, is_over)
            if is_over():
                return False
        return True

    def _try_to_take(self, orphan: Orphan, is_over: Callable[[], bool]) -> None:
        try:
            self._take(orphan, is_over)
        except SpoolError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one journal, the others have nothing to do with it
            self._report(orphan.journal_id, error)

    def _take(self, orphan: Orphan, is_over: Callable[[], bool]) -> None:
        consumer = SpoolConsumer(self._spool, orphan.journal_id, self._spool.offset(orphan.journal_id))
        # From the beginning: what was declared there is needed for the rest.
        for piece in Decoder(read=decode_otlp).slices_of(orphan.header, orphan.reader.records(), 0):
            if is_over():
                return
            consumer.consume(piece)
        # The files first: a journal whose offset is forgotten would be moved from its beginning.
        orphan.remove()
        self._spool.forget_journal(orphan.journal_id)

    def _report(self, journal_id: str, error: Exception) -> None:
        if journal_id not in self._reported:
            self._reported.add(journal_id)
            _logger.warning("otel_taskflow: spans and logs that process %s left stay there: %s", journal_id, error)


__all__ = ["NAMESPACE", "Leftovers"]
