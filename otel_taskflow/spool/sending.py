"""What became of messages that were sent. Everything here runs inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from otel_taskflow.spool.evict import count_as_arrived
from otel_taskflow.spool.ledger import Ledger
from otel_taskflow.spool.messages import QUARANTINED
from otel_taskflow.spool.statements import SQL

ANSWER_LENGTH = 4096
"""Characters of a server's answer that are kept."""
QUARANTINE_LENGTH = 1000
"""Messages of a queue that stay in quarantine."""
QUARANTINE_BYTES = 16 * 1024 * 1024
"""Bytes of a queue that stay in quarantine, if it is more than one message."""


class Refusal(NamedTuple):
    """What a destination says of a message that it will never take."""

    id: int
    status: int
    answer: str
    time: int


def done(ledger: Ledger, name: tuple[str, str], ids: Sequence[int], dropped: tuple[str, int] | None) -> None:
    """They arrived; of them, ``dropped`` (reason, count) were rejected."""
    queue = ledger.find(*name)
    if queue is None:
        return
    arrived, size = ledger.remove(queue.waiting, ids)
    if arrived < len(ids):
        arrived += count_as_arrived(ledger, queue, ids)
    reason, rejected = dropped or ("", 0)
    if rejected:
        ledger.drop(queue, reason, rejected)
    queue.delivered += max(0, arrived - rejected)
    queue.delivered_bytes += size


def quarantine(ledger: Ledger, name: tuple[str, str], refusal: Refusal) -> None:
    """Move one message out of its queue. One that was evicted meanwhile is counted already."""
    queue = ledger.find(*name)
    if queue is None or not queue.waiting.can_have(refusal.id):
        return
    values = refusal._replace(answer=refusal.answer[:ANSWER_LENGTH])._asdict()
    ledger.connection.execute(SQL["quarantine_message"], {"queue": queue.key, **values})
    moved, _ = ledger.remove(queue.waiting, [refusal.id])
    ledger.drop(queue, QUARANTINED, moved)
    limits = {"messages": QUARANTINE_LENGTH, "bytes": QUARANTINE_BYTES}
    ledger.connection.execute(SQL["trim_quarantine"], {"queue": queue.key, **limits})
