"""The one place that decides states."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

from otel_taskflow.model import (
    AttemptOutcome,
    Cancelled,
    Interrupted,
    Outcome,
    Raised,
    RetryPolicy,
    Returned,
    TaskRow,
    TaskStatus,
    TimedOut,
    Transition,
)

ALLOWED: dict[TaskStatus, frozenset[TaskStatus]] = {
    TaskStatus.PENDING: frozenset({TaskStatus.RUNNING, TaskStatus.CANCELLED}),
    TaskStatus.RUNNING: frozenset(
        {
            TaskStatus.RUNNING,
            TaskStatus.SUCCESS,
            TaskStatus.FAILED,
            TaskStatus.INTERRUPTED,
            TaskStatus.CANCELLED,
        }
    ),
    TaskStatus.SUCCESS: frozenset(),
    TaskStatus.FAILED: frozenset(),
    TaskStatus.INTERRUPTED: frozenset({TaskStatus.RUNNING}),
    TaskStatus.CANCELLED: frozenset(),
    TaskStatus.REJECTED: frozenset(),
}
"""From which state to which. Running to running is an attempt that failed and will be retried; interrupted to running
happens only to a task that opted in with ``requeue_on_interrupt``."""

RETRYABLE = frozenset({TaskStatus.FAILED, TaskStatus.INTERRUPTED, TaskStatus.CANCELLED})
"""States from which a person may run the task again, as a new task."""

MAX_INTERRUPTIONS = 3
"""A task whose process dies again and again is not run for ever, however often it opted in."""

CANCEL_REQUESTED = "cancel_requested"
"""The reason of a task that runs, and will not run again."""

_SUCCEEDED = Transition(TaskStatus.SUCCESS, AttemptOutcome.SUCCEEDED)
SECOND = 1_000_000_000


class Run(NamedTuple):
    """What ``decide`` needs to know about the attempt that ended."""

    attempt: int
    """0-based."""
    policy: RetryPolicy
    cancel_requested: bool = False
    interruptions: int = 0
    """Earlier attempts that were interrupted: they do not count as retries."""
    runs_on: bool = False
    """True if the task opted in to run again after an interruption, and can."""


def is_allowed(before: TaskStatus, after: TaskStatus) -> bool:
    """True if the table of states has this step."""
    return after in ALLOWED[before]


def is_final(status: TaskStatus) -> bool:
    """True for states that a task does not leave by itself."""
    # Not a look into a set: the hash of an enum's member is computed in Python.
    return status is not TaskStatus.PENDING and status is not TaskStatus.RUNNING


def has_expired(task: TaskRow, now: int) -> bool:
    """True if the time for the task's first attempt has passed. One that has started does not expire."""
    return task.expires_at is not None and task.attempts == 0 and now >= task.expires_at


def wait_before_retry(retry: int, policy: RetryPolicy, draw: Callable[[], float] = random.random) -> float:
    """Seconds to wait before retry number ``retry`` (from 1): ``delay * backoff ** (retry - 1)``, capped and jittered."""
    if not policy.delay:
        return 0.0  # Also where the factor is too large for a number.
    try:
        wait = policy.delay * policy.backoff ** (retry - 1)
    except OverflowError:
        wait = float("inf")
    if policy.max_delay is not None:
        wait = min(wait, policy.max_delay)
    if policy.jitter:
        wait *= 1 - policy.jitter * draw()
    return min(wait, 10 * 365 * 86400.0)


def decide(run: Run, outcome: Outcome, now: int, draw: Callable[[], float] = random.random) -> Transition:
    """Say what follows from the outcome of an attempt. ``now`` is Unix nanoseconds."""
    match outcome:
        case Returned():
            return _SUCCEEDED
        case Cancelled(reason=reason):
            return Transition(TaskStatus.CANCELLED, AttemptOutcome.CANCELLED, reason=reason)
        case _ if run.cancel_requested:
            return Transition(TaskStatus.CANCELLED, AttemptOutcome.CANCELLED, reason="user")
        case Interrupted(reason=reason) if run.runs_on and run.interruptions < MAX_INTERRUPTIONS:
            return Transition(TaskStatus.RUNNING, AttemptOutcome.INTERRUPTED, retry_at=now, reason=reason)
        case Interrupted(reason=reason):
            return Transition(TaskStatus.INTERRUPTED, AttemptOutcome.INTERRUPTED, reason=reason)
        case TimedOut():
            return _after_failure(run, TimeoutError, AttemptOutcome.TIMED_OUT, AttemptOutcome.TIMED_OUT, now, draw)
        case Raised(exception=exception):
            return _after_failure(run, type(exception), AttemptOutcome.RETRYING, AttemptOutcome.FAILED, now, draw)


def _after_failure(
    run: Run,
    error: type[BaseException],
    again: AttemptOutcome,
    final: AttemptOutcome,
    now: int,
    draw: Callable[[], float],
) -> Transition:
    retry = run.attempt + 1 - run.interruptions
    if retry > run.policy.retries or not _is_one_of(error, run.policy.retry_on):
        return Transition(TaskStatus.FAILED, final)
    wait = int(wait_before_retry(retry, run.policy, draw) * SECOND)
    return Transition(TaskStatus.RUNNING, again, retry_at=now + wait, wait=wait)


def _is_one_of(error: type[BaseException], kinds: tuple[type[BaseException], ...]) -> bool:
    try:
        return issubclass(error, kinds)
    except Exception:  # noqa: BLE001 - a metaclass of the user's may raise anything, and the attempt has ended all the same
        return False
