"""The shapes of the API: what questions are checked against, and what its OpenAPI document says of answers."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from otel_taskflow.model import AttemptOutcome, TaskStatus

Level = Literal["debug", "info", "warning", "error"]


class _Question(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NoQuestion(_Question):
    """A question without parameters; one that is given is refused."""


class ListQuestion(_Question):
    """Parameters of the list."""

    status: TaskStatus | None = Field(None, description="Only tasks in this state.")
    func_name: str | None = Field(None, max_length=500, description="Only tasks of this name.")
    tag: str | None = Field(
        None, max_length=1000, pattern=r"^[^:]+:", description="Only tasks with this tag: `key:value`."
    )
    trace_id: str | None = Field(
        None, pattern=r"^[0-9a-f]{32}$", description="Only tasks of this trace: of their own span, or of an attempt's."
    )
    limit: int = Field(50, ge=1, le=200, description="Tasks a page.")
    cursor: str | None = Field(None, max_length=500, description="From the `Link` header of the page before.")


class LogsQuestion(_Question):
    """Parameters of a page of log lines."""

    after: str | None = Field(
        None,
        max_length=64,
        pattern=r"^(\d{1,19}|\d{1,9}\.\d{1,19}\.\d{1,19})$",
        description="Lines after this one: the `cursor` of the page before, or a sequence number.",
    )
    limit: int = Field(1000, ge=1, le=10_000, description="Lines a page.")
    level: Level | None = Field(None, description="This level and what is above it.")
    attempt: int | None = Field(None, ge=1, le=1_000_000, description="Only this attempt, counted from 1.")
    links: bool = Field(False, description="With the links of each line, by the templates of `TaskAdmin(links=...)`.")


class StreamQuestion(BaseModel):
    """Parameters of the live stream."""

    task: str | None = Field(None, max_length=200)
    after: int | None = Field(None, ge=0, le=2**63 - 1)
    health: bool = False


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
