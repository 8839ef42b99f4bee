"""The values everything else speaks in: tasks, attempts, log lines, states. Standard library only.

Times are integer Unix nanoseconds; durations are integer nanoseconds from a monotonic clock; settings that a user
writes are float seconds. ``attempt`` counts from 0 here, as in the public API; ``attempt_number`` counts from 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import InitVar, dataclass, field
from enum import Enum
from typing import Any, NamedTuple, cast

from otel_taskflow.errors import ConfigurationError, UnsupportedParameterError, shown

LONGEST = 100 * 365 * 86400
"""Seconds: no timer is set for longer."""


class TaskStatus(str, Enum):
    """The state of a task. Waiting for a retry counts as running (see ``TaskRow.waiting_until``)."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    """A task that a full queue refused, in fastapi-taskflow. Here ``add_task`` raises QueueFullError and keeps nothing."""


class AttemptOutcome(str, Enum):
    """How one attempt ended; the values of the ``otel_taskflow.attempt.outcome`` attribute."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    RETRYING = "retrying"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


FINAL_STATUSES = frozenset(set(TaskStatus) - {TaskStatus.PENDING, TaskStatus.RUNNING})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When a failed attempt is followed by another.

    Attributes:
        retries: Attempts after the first.
        delay: Seconds before retry 1.
        backoff: Factor for each further retry: ``delay * backoff ** (n - 1)`` seconds before retry n.
        max_delay: Upper bound of the wait in seconds, or None.
        jitter: Share of the wait, 0 to 1, that is drawn at random: the wait is multiplied by 1 - jitter * random().
        retry_on: Exception types that are retried; others fail the task at once.
    """

    retries: int = 0
    delay: float = 0.0
    backoff: float = 1.0
    max_delay: float | None = None
    jitter: float = 0.0
    retry_on: tuple[type[BaseException], ...] = (Exception,)


@dataclass(frozen=True, slots=True)
class TaskConfig:
    """What ``@task_manager.task(...)`` says about a function. Seconds are floats.

    ``persist``, ``priority`` and ``queue`` are parameters of fastapi-taskflow's: every task is kept, the others are refused.
    """

    retries: int = 0
    delay: float = 0.0
    backoff: float = 1.0
    max_delay: float | None = None
    jitter: float = 0.0
    retry_on: tuple[type[BaseException], ...] = (Exception,)
    timeout: float | None = None
    name: str | None = None
    requeue_on_interrupt: bool = False
    eager: bool = False
    detached: bool = False
    executor: str | None = None
    expires: float | None = None
    persist: InitVar[bool | None] = None
    priority: InitVar[int | None] = None
    queue: InitVar[str | None] = None

    def __post_init__(self, persist: bool | None, priority: int | None, queue: str | None) -> None:
        """Refuse what this release does not have, and numbers that no timer and no formula can use."""
        for name, value in (("priority", priority), ("queue", queue)):
            if value is not None:
                raise UnsupportedParameterError(
                    f"TaskConfig({name}={value!r}): named queues and priorities are not part of this release; leave {name} out"
                )

        for name, most in _MOST.items():
            _check_size(name, getattr(self, name), most)

    @property
    def retry_policy(self) -> RetryPolicy:
        """The retry part of this configuration."""
        return RetryPolicy(self.retries, self.delay, self.backoff, self.max_delay, self.jitter, self.retry_on)


_MOST = {
    "delay": LONGEST,
    "max_delay": LONGEST,
    "timeout": LONGEST,
    "expires": LONGEST,
    "backoff": 1e300,
    "jitter": 1.0,
    "retries": 1e9,
}


def _check_size(name: str, value: object, most: float) -> None:
    """The rest is checked where the function is known. What is infinite or no number is told there, too."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and most < abs(cast(float, value)) < math.inf:
        unit = " seconds (100 years)" if most == LONGEST else ""
        raise ConfigurationError(f"{name}={shown(value)} must be at most {most:.16g}{unit}")


class SpanIdentity(NamedTuple):
    """The ids of one span. Hexadecimal, lower case, as in W3C Trace Context."""

    trace_id: str
    span_id: str
    parent_span_id: str | None = None
    trace_flags: int = 0
    trace_state: str = ""


class ErrorInfo(NamedTuple):
    """What is kept of an exception. All texts are sanitised and redacted."""

    type: str
    message: str
    stacktrace: str


class TaskRow(NamedTuple):
    """One task as a store keeps it. Also the unit of a store's ``write``: rows are written whole."""

    task_id: str
    name: str
    status: TaskStatus
    created_at: int
    args: str | None = None
    """JSON ``{"args": [...], "kwargs": {...}}`` and what making the call again needs beside them; None when the arguments could
    not be kept (not recoverable)."""
    tags: Mapping[str, str] = {}
    idempotency_key: str | None = None
    source: str = "manual"
    held: bool = False
    """True between add_task and the moment its request's response is about to leave."""
    released_at: int | None = None
    started_at: int | None = None
    ended_at: int | None = None
    waiting_until: int | None = None
    attempts: int = 0
    """Attempts started so far."""
    max_attempts: int = 1
    error: ErrorInfo | None = None
    """Error of the last attempt that failed; None after a success."""
    reason: str | None = None
    """Why a task ended without an outcome of its own: request_failed, request_lost, expired, user, shutdown, ..."""
    owner: str | None = None
    """Id of the journal of the process that has the task."""
    span: SpanIdentity | None = None
    """The enqueue (PRODUCER) span."""
    carrier: Mapping[str, str] = {}
    executor: str = "thread"
    retry_of: str | None = None
    retried_as: str | None = None
    log_count: int = 0
    requeue_on_interrupt: bool = False
    """The definition's opt-in at the time of add_task: an interrupted attempt may be run again."""
    expires_at: int | None = None
    """From then on its first attempt does not start any more; None: never."""


class AttemptRow(NamedTuple):
    """One attempt as a store keeps it."""

    task_id: str
    attempt: int
    started_at: int
    span: SpanIdentity
    worker: str
    ended_at: int | None = None
    duration: int | None = None
    """Nanoseconds from a monotonic clock, None while running."""
    queue_wait: int = 0
    """Nanoseconds between being ready to start and starting."""
    outcome: AttemptOutcome | None = None
    error: ErrorInfo | None = None
    log_count: int = 0
    late_end: bool = False
    """A timed-out sync attempt whose thread went on; its slot stayed taken until then."""


class LogRow(NamedTuple):
    """One task_log() line as a store keeps it. Identity: (task_id, attempt, seq)."""

    task_id: str
    attempt: int
    seq: int
    """Counts from 1 over all attempts of the task."""
    time: int
    level: str
    message: str
    extra: Mapping[str, Any] = {}
    logger: str | None = None
    """Name of the stdlib logger, for lines taken over by ``capture_logging``."""
    late: bool = False
    """Written after the attempt had ended."""


@dataclass(frozen=True, slots=True)
class TaskDefinition:
    """A registered function with its configuration.

    Attributes:
        name: Registry name: ``config.name`` or the function's ``__name__``.
        func: The function as registered.
        config: Its settings.
        is_async: True for coroutine functions, which run on the event loop.
    """

    name: str
    func: Callable[..., Any]
    config: TaskConfig
    is_async: bool
    code_name: str = ""
    """``module.qualname``, the ``code.function.name`` attribute."""
    retry_policy: RetryPolicy = RetryPolicy()
    """The retry part of the settings."""
    function: str = ""
    """Where an undecorated function was defined; it stands in for a registered name, which two of them may share."""
    is_recoverable: bool = True
    """False for what another process cannot find: a closure, a lambda, a partial, a bound method that is not registered."""

    @property
    def executor(self) -> str:
        """Where its attempts run: ``async`` (an event loop), ``thread`` or ``process``."""
        return "async" if self.is_async else self.config.executor or "thread"


@dataclass(frozen=True, slots=True)
class Returned:
    """The function came back."""


@dataclass(frozen=True, slots=True)
class Raised:
    """The function raised."""

    exception: BaseException = field(compare=False)
    error: ErrorInfo | None = field(default=None, compare=False)
    """What is kept of it, if it was described where it was raised: in another process."""


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The attempt passed its ``timeout``."""

    timeout: float


@dataclass(frozen=True, slots=True)
class Cancelled:
    """We cancelled the attempt: ``user`` (a verb) or ``shutdown``."""

    reason: str = "user"


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The attempt was cut off: its process died or its grace passed."""

    reason: str = "process_died"
    detail: str | None = None
    """How it died, for people."""


Outcome = Returned | Raised | TimedOut | Cancelled | Interrupted


class Transition(NamedTuple):
    """What ``decide()`` says follows from an outcome. Nothing else decides a state."""

    status: TaskStatus
    outcome: AttemptOutcome
    retry_at: int | None = None
    """Unix nanoseconds of the next attempt, None when there is none."""
    reason: str | None = None
    wait: int = 0
    """Nanoseconds until the next attempt."""


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """What a list of tasks is narrowed to; None means any."""

    status: TaskStatus | None = None
    name: str | None = None
    tag: tuple[str, str] | None = None
    created_after: int | None = None
    created_before: int | None = None
    trace_id: str | None = None
    """The trace of the task's own span, or of one of its attempts."""
