"""A long journal, as a busy process would leave it, written through the journal's own writer."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from otel_taskflow.events import AttemptEnded, AttemptStarted, Event, TaskEnqueued
from otel_taskflow.journal.codec import encode, encode_log, log_prefix
from otel_taskflow.journal.folder import new_journal_id
from otel_taskflow.journal.writer import JournalWriter
from otel_taskflow.model import AttemptOutcome, SpanIdentity, TaskStatus
from otel_taskflow.ports import JournalHeader

RUNNING = "running"
"""The task that was running and has most of the lines."""
PENDING = ("pending-0", "pending-1", "pending-2")
WAITING = "waiting"
FINISHED_EVERY = 1000
"""Lines after which another task has come and gone, with a line of its own."""
SPAN = SpanIdentity("1" * 32, "2" * 16)
NO_ARGS = '{"args":[],"kwargs":{}}'


def enqueued(task_id: str, name: str, max_attempts: int = 1) -> TaskEnqueued:
    return TaskEnqueued(
        task_id, time.time_ns(), name, NO_ARGS, {}, None, "manual", False, SPAN, {}, max_attempts, "thread"
    )


def started(task_id: str) -> AttemptStarted:
    return AttemptStarted(task_id, time.time_ns(), 0, SPAN, "dead:1", 0)


def ended(task_id: str, outcome: AttemptOutcome, status: TaskStatus, waiting_until: int | None = None) -> AttemptEnded:
    return AttemptEnded(task_id, time.time_ns(), 0, 5, outcome, status, None, waiting_until, None, 1)


def life_of_a_finished_task(number: int) -> Iterator[Event | bytes]:
    task_id = f"finished-{number}"
    yield enqueued(task_id, "other")
    yield started(task_id)
    yield encode_log(log_prefix(task_id, 0), time.time_ns(), 1, "info", "done", {})
    yield ended(task_id, AttemptOutcome.SUCCEEDED, TaskStatus.SUCCESS)


def write_journal(folder: Path, lines: int) -> int:
    """Write so many lines of the running task, and what is around them; returns how many events that are."""
    header = JournalHeader(new_journal_id("default"), time.time_ns(), os.getpid(), "dead", "boot", "dead:1")
    writer = JournalWriter.create(folder, header, budget=2**40)
    for event in (enqueued(RUNNING, "never"), started(RUNNING)):
        writer.append(encode(event))
    prefix = log_prefix(RUNNING, 0)
    for number in range(1, lines + 1):
        message = f"line {number} of the work that was done"
        writer.append_log(encode_log(prefix, time.time_ns(), number, "info", message, {"order": number}), keep=True)
        if number % FINISHED_EVERY == 0:
            for each in life_of_a_finished_task(number // FINISHED_EVERY):
                writer.append(each if isinstance(each, bytes) else encode(each))
    for task_id in PENDING:
        writer.append(encode(enqueued(task_id, "quick")))
    for event in (
        enqueued(WAITING, "quick", max_attempts=2),
        started(WAITING),
        ended(WAITING, AttemptOutcome.RETRYING, TaskStatus.RUNNING, time.time_ns()),
    ):
        writer.append(encode(event))
    return writer.end
