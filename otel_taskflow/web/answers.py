"""What the API's OpenAPI document says of answers. Loaded when it is asked for: models take longer to make than all else here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, Field, create_model

from otel_taskflow.model import AttemptOutcome, TaskStatus


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

_NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"model": Problem, "description": "No task has this id."}}
_VERB: dict[int | str, dict[str, Any]] = {
    **_NOT_FOUND,
    400: {"model": Problem, "description": "The task is in a state that does not allow it."},
}
_UNKNOWN: dict[int | str, dict[str, Any]] = {
    409: {"model": Problem, "description": "This process has no function of that name."}
}
ALWAYS: dict[int | str, dict[str, Any]] = {401: {"model": Problem}, 422: {"model": Problem}}
"""What every route may answer."""
ANSWERS: Mapping[str, Mapping[str, Any]] = {
    "list_tasks": {"response_model": list[TaskInList]},
    "metrics": {"response_model": MetricsOut},
    "health": {"response_model": HealthOut},
    "task": {"response_model": TaskOut, "responses": _NOT_FOUND},
    "logs": {"response_model": LogPageOut, "responses": _NOT_FOUND},
    "logs_text": {"responses": _NOT_FOUND},
    "cancel": {"response_model": VerbOut, "responses": _VERB},
    "retry": {"response_model": VerbOut, "responses": {**_VERB, **_UNKNOWN}},
}
"""By endpoint, as FastAPI takes it."""
