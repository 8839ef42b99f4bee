"""What the API's OpenAPI document says of answers. Loaded when it is asked for: models take longer to make than all else here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from pydantic import BaseModel, Field, create_model

from otel_taskflow.model import AttemptOutcome, TaskStatus
from otel_taskflow.web.api import BEHIND, CUT


class TaskBase(BaseModel):
    """A task, whatever the view."""

    task_id: str
    func_name: str
    status: TaskStatus
    created_at: str = Field(description="ISO 8601 with microseconds, UTC.")
    start_time: str | None
    end_time: str | None
    duration: float | None = Field(description="Seconds from the first start to the end.")
    retries_used: int
    error: str | None
    stacktrace: str | None
    logs: list[str] = Field(description="Lines with `--- Retry N ---` separators; empty in lists.")
    tags: dict[str, str]
    source: str
    priority: int | None
    executor: str | None
    queue: str
    attempt: int = Field(description="The current attempt, counted from 0.")
    attempt_count: int
    max_attempts: int
    waiting_until: str | None = Field(description="When the next attempt starts; the status is `running` until then.")
    reason: str | None = Field(description="Why it ended without an outcome of its own, e.g. `request_failed`.")
    trace_id: str | None
    span_id: str | None
    parent_span_id: str | None = Field(description="The span in which `add_task` was called, usually the request's.")
    retry_of: str | None
    retried_as: str | None
    log_count: int
    held: bool = Field(description="Its request has not been answered yet.")
    recoverable: bool = Field(
        description="False if it can be neither run by another process nor retried: its arguments or its function were not kept."
    )
    expires_at: str | None = Field(description="From then on its first attempt does not start any more.")
    args: list[Any] | None = Field(
        None, description="Positional arguments, masked. Only with `display_func_args=True`."
    )
    kwargs: dict[str, Any] | None = Field(
        None, description="Named arguments, masked. Only with `display_func_args=True`."
    )


class TaskInList(TaskBase):
    """A task in a list."""

    attempts: int = Field(description="How many attempts were started.")


class AttemptOut(BaseModel):
    """One attempt."""

    attempt: int = Field(description="Counted from 0.")
    attempt_number: int = Field(description="Counted from 1.")
    status: Literal["running"] | AttemptOutcome
    start_time: str
    end_time: str | None
    duration: float | None = Field(description="Seconds.")
    queue_wait: float = Field(description="Seconds between being ready and starting.")
    error_type: str | None
    error: str | None
    stacktrace: str | None
    trace_id: str | None
    span_id: str | None
    worker: str
    log_count: int
    late_end: bool
    links: dict[str, str] = Field({}, description="URLs by name: the attempt's span, its lines. In details only.")


class TaskOut(TaskBase):
    """A task with its attempts."""

    attempts: list[AttemptOut]
    links: dict[str, str] = Field(description="URLs by name: the task, the span of `add_task`.")
    request_links: dict[str, str] = Field(description="URLs by name: the span in which `add_task` was called.")


class LogEntry(BaseModel):
    """One log line."""

    seq: int
    time: str = Field(description="ISO 8601 with milliseconds, UTC.")
    level: str
    message: str
    extra: dict[str, Any]
    attempt: int
    attempt_number: int
    logger: str | None
    late: bool
    links: dict[str, str] = Field({}, description="URLs by name: the line, its attempt's span. Only with `links=true`.")


class LogPageOut(BaseModel):
    """A page of log lines."""

    entries: list[LogEntry]
    cursor: str | None


class VerbOut(BaseModel):
    """What a verb did."""

    task_id: str
    task: TaskInList


State = Literal["ok", "degraded", "failed"]


class PartOut(BaseModel):
    """One part."""

    part: str = Field(description="`journal`, `store`, `destination:tempo`, ...")
    state: State
    why: str
    remedy: str
    figures: dict[str, bool | int | float | str | None]


class HealthOut(BaseModel):
    """All parts of the process that answers."""

    state: State = Field(description="Of the worst part; telemetry makes it `degraded` at most.")
    time: str
    parts: list[PartOut]


class Problem(BaseModel):
    """An error."""

    detail: str | list[dict[str, Any]]


MetricsOut: type[BaseModel] = create_model(
    "Metrics",
    __doc__="Counts by state.",
    total=(int, ...),
    **{status.value: (int, ...) for status in TaskStatus},  # type: ignore[call-overload]
    success_rate=(float, ...),
    avg_duration_seconds=(float, ...),
    dropped=(dict[str, int], ...),
)


def _problem(
    status: int, when: str, headers: Mapping[str, Any] = MappingProxyType({})
) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": Problem, "description": when, **({"headers": dict(headers)} if headers else {})}}


def _header(kind: str, text: str) -> dict[str, Any]:
    return {"schema": {"type": kind}, "description": text}


_BEHIND = {
    BEHIND: _header(
        "integer", "So many events are not in this answer yet, though they were acknowledged; left out when it is 0."
    )
}
_LINK = {"Link": _header("string", '`<?...>; rel="next"`: the next page; left out on the last one.')}
_CUT = {CUT: _header("string", "`shown=10000; total=<all>`: `logs` has not all lines.")}
_RETRY_AFTER = {"Retry-After": _header("integer", "Seconds.")}

_READ: dict[int | str, dict[str, Any]] = {200: {"headers": _BEHIND}}
_NOT_FOUND = _problem(404, "No task has this id.")
_READ_TASK = {**_READ, **_problem(404, "No task has this id.", _BEHIND)}
_TEXT = {"text/plain": {"schema": {"type": "string"}}}
_VERB = {**_NOT_FOUND, **_problem(400, "The task is in a state that does not allow it.")}
_UNKNOWN = _problem(409, "This process has no function of that name.")
ALWAYS: dict[int | str, dict[str, Any]] = {
    **_problem(401, "No valid credentials."),
    **_problem(403, "The host is not served, or a browser's request does not come from the dashboard itself."),
    **_problem(422, "A parameter is unknown or wrong."),
    **_problem(429, "Too many wrong passwords came from this address.", _RETRY_AFTER),
    **_problem(503, "The store cannot be read, or did not answer in time."),
}
"""What every route may answer."""
ANSWERS: Mapping[str, Mapping[str, Any]] = {
    "list_tasks": {"response_model": list[TaskInList], "responses": {200: {"headers": {**_LINK, **_BEHIND}}}},
    "metrics": {"response_model": MetricsOut, "responses": _READ},
    "health": {"response_model": HealthOut},
    "task": {"response_model": TaskOut, "responses": {**_READ_TASK, 200: {"headers": {**_CUT, **_BEHIND}}}},
    "logs": {"response_model": LogPageOut, "responses": _READ_TASK},
    "logs_text": {"responses": {**_READ_TASK, 200: {"headers": _BEHIND, "content": _TEXT}}},
    "cancel": {"response_model": VerbOut, "responses": _VERB},
    "retry": {"response_model": VerbOut, "responses": {**_VERB, **_UNKNOWN}},
}
"""By endpoint, as FastAPI takes it."""
