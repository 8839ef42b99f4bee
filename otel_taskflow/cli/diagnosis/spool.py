"""The spool's file: what waits, what was lost, what was refused and why."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from otel_taskflow.cli.diagnosis import access
from otel_taskflow.cli.diagnosis.findings import NOTE, OK, PROBLEM, Finding, age, moment, size
from otel_taskflow.cli.diagnosis.journals import living
from otel_taskflow.cli.diagnosis.refusals import remedy_of
from otel_taskflow.errors import SpoolError
from otel_taskflow.export.volume import Volume, bytes_a_day, volume_of
from otel_taskflow.journal.lock import is_held
from otel_taskflow.spool.inspecting import Inspection, QueueFigures, inspect

_DAMAGED = "a damaged file is moved aside at the next start, and what it held is counted"
LONG = 900.0
"""Seconds that the oldest message may wait while somebody sends."""
RECENT = 86400.0
"""Seconds in which a refusal is news."""


def check(path: Path, root: Path) -> Iterator[Finding]:
    """All that the file says."""
    if not access.is_there(path):
        yield Finding(OK, "none: nothing was exported durably from here")
        return
    try:
        found = inspect(path)
    except SpoolError as error:
        yield Finding(PROBLEM, str(error), access.remedy_of(error, path, damaged=_DAMAGED))
        return
    yield Finding(OK, f"{path}: {size(found.file_bytes)}")
    has_processes = living(root) > 0
    for queue in found.queues:
        yield _queue(queue, path, has_processes=has_processes)
        yield from _losses(queue, found)
    yield from _refusals(found)
    for moved in found.asides:
        yield Finding(NOTE, f"a damaged file was moved to {moved}", "check that disk; delete it when you have seen it")


def _queue(queue: QueueFigures, path: Path, *, has_processes: bool) -> Finding:
    waits, sends = queue.backlog, _is_sent(path, queue)
    waiting = 0.0 if waits.oldest is None else time.time() - waits.oldest / 1e9
    oldest = f", the oldest for {age(waiting)}" if waits.messages else ""
    held = f", {queue.held} held until their attempt ends" if queue.held else ""
    text = (
        f"{queue.destination} {queue.signal}: {waits.messages} wait ({size(waits.bytes)}{oldest}){held}, "
        f"{queue.delivered.delivered} delivered since {moment(queue.delivered.since)}{_a_day(queue)}"
    )
    if not waits.messages:
        return Finding(OK, text)
    if sends and waiting > LONG:
        return Finding(PROBLEM, text, "see Destinations below, and the log of the app")
    if not sends and has_processes:
        remedy = (
            f"no running process is configured for a destination {queue.destination!r}: give one this name to send it"
        )
        return Finding(PROBLEM, f"{text}; nobody sends", remedy)
    return Finding(
        OK if sends else NOTE, text if sends else f"{text}; sent when an app starts that has a destination of this name"
    )


def _a_day(queue: QueueFigures) -> str:
    now = volume_of(queue.backlog, queue.delivered, {}, time.time_ns())
    estimate = bytes_a_day(now, [Volume(0, 0, queue.delivered.since)])
    return "" if estimate is None else f", about {size(estimate)} a day"


def _losses(queue: QueueFigures, found: Inspection) -> Iterator[Finding]:
    lost = {key[2]: count for key, count in found.dropped.items() if key[:2] == (queue.destination, queue.signal)}
    if lost:
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(lost.items()))
        remedy = "the reasons are explained in docs/how-to/watch-health.md"
        yield Finding(NOTE, f"{queue.destination} {queue.signal}: lost since then: {reasons}", remedy)


def _refusals(found: Inspection) -> Iterator[Finding]:
    for destination, refused in found.quarantined.items():
        newest = refused[0]
        is_news = time.time() - newest.quarantined_at / 1e9 < RECENT
        number = f"{len(refused)}{' or more' if len(refused) >= 100 else ''}"
        text = f"{destination}: {number} in quarantine, the last at {moment(newest.quarantined_at)}: {newest.answer}"
        yield Finding(PROBLEM if is_news else NOTE, text, remedy_of(newest.answer))


def _is_sent(path: Path, queue: QueueFigures) -> bool:
    try:
        return is_held(path.parent / f"{queue.destination}.{queue.signal}.lock")
    except OSError:
        return False
