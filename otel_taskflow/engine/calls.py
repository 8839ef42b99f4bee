"""What goes between a process and its worker processes: a call there, a reply back."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from otel_taskflow.context import TaskContext
from otel_taskflow.model import ErrorInfo, Outcome, Raised, Returned
from otel_taskflow.ports import JournalHeader
from otel_taskflow.values import Sanitizer

GOODBYE = b""
"""In the place of a call, what ends a worker in good order."""
READY = b"ready"
"""What a worker says first, if it can take calls; else it says why it cannot."""
BEGUN = b"begun"
"""What a worker says when it has imported what a call needs and its function begins."""


class WorkerSetup(NamedTuple):
    """What a worker process is started with."""

    root: Path
    header: JournalHeader
    """Of the worker's own journal."""
    budget: int
    sanitizer: Sanitizer
    capture_logging: str | int | None


class Call(NamedTuple):
    """One attempt, as its worker process needs it."""

    func: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    code_name: str
    context: TaskContext
    carrier: Mapping[str, str]
    """The OpenTelemetry context of the attempt."""
    first_seq: int
    """Number of the first line."""


class Reply(NamedTuple):
    """How the attempt ended. What does not go through a pipe, the exception itself, is a pickle of its own."""

    error: ErrorInfo | None = None
    exception: bytes = b""
    dropped: Mapping[str, int] = {}
    """Lines that the worker's journal had no room for, by reason."""


class RemoteTracebackError(Exception):
    """Shows where an exception was raised, as the cause of its copy in this process."""

    def __init__(self, text: str) -> None:
        super().__init__(f"\n{text}")


def packed(exception: BaseException) -> bytes:
    """The exception as bytes, if it can be sent; else its nearest type that can, so that ``retry_on`` holds for it."""
    return next(filter(None, map(_pickled, (exception, *type(exception).__mro__))))


def _pickled(value: object) -> bytes | None:
    try:
        data = pickle.dumps(value)
        pickle.loads(data)  # noqa: S301 - our own bytes: many exceptions can be written, but not read
    except Exception:  # noqa: BLE001 - whatever user code raises here
        return None
    return data


def outcome_of(reply: Reply) -> Outcome:
    """What became of the attempt."""
    if reply.error is None:
        return Returned()
    exception = _exception_in(reply, reply.error)
    with suppress(Exception):  # A class may refuse attributes, as a frozen dataclass does: the exception counts.
        BaseException.__setattr__(exception, "__cause__", RemoteTracebackError(reply.error.stacktrace))
    return Raised(exception, reply.error)


def _exception_in(reply: Reply, error: ErrorInfo) -> BaseException:
    try:
        found = pickle.loads(reply.exception)  # noqa: S301 - from a process that we started, through its own pipe
        exception = found.__new__(found, error.message) if isinstance(found, type) else found
    except Exception:  # noqa: BLE001 - a class that is only in the worker, or wants other arguments
        exception = None
    return exception if isinstance(exception, BaseException) else Exception(error.message)
