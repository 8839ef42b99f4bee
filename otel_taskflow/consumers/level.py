"""Read your writes: wait until readers of the store see what was acknowledged before the question came."""

from __future__ import annotations

import asyncio
from pathlib import Path
from time import monotonic

from otel_taskflow.consumers.progress import remaining
from otel_taskflow.consumers.tailer import Tailer
from otel_taskflow.journal.folder import ends_of_others, is_alive
from otel_taskflow.journal.writer import JournalWriter
from otel_taskflow.ports import StoreReader

STEP = 0.005
"""Seconds between two looks at what a neighbour process has written; one's own commits wake the waiter."""


async def level_with(
    root: Path | None, tailer: Tailer, writer: JournalWriter, reader: StoreReader, timeout: float
) -> int:
    """Wait at most ``timeout`` seconds; return how many events of this host are not in the store yet."""
    deadline = monotonic() + timeout
    wanted = {} if root is None else ends_of_others(root, writer.header.namespace)
    behind = await tailer.reach(writer.end, timeout)
    if root is None or not wanted:
        return behind
    lags = await _lags(wanted, reader)
    # What a dead process left comes with its takeover: it is counted, but nobody waits for it.
    living = {journal_id: wanted[journal_id] for journal_id in lags if is_alive(root, journal_id)}
    of_the_dead = sum(lag for journal_id, lag in lags.items() if journal_id not in living)
    return behind + of_the_dead + await _wait_for(living, reader, deadline)


async def _wait_for(wanted: dict[str, int], reader: StoreReader, deadline: float) -> int:
    while wanted:
        lags = await _lags(wanted, reader)
        if not lags or remaining(deadline) <= 0:
            return sum(lags.values())
        wanted = {journal_id: wanted[journal_id] for journal_id in lags}
        await asyncio.sleep(STEP)
    return 0


async def _lags(wanted: dict[str, int], reader: StoreReader) -> dict[str, int]:
    """How far the store is behind each journal; those it has all of are left out."""
    lags = {journal_id: end - await reader.get_offset(journal_id) for journal_id, end in wanted.items() if end}
    return {journal_id: lag for journal_id, lag in lags.items() if lag > 0}
