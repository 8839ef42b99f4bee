"""A journal's events by hand, an outbox over a real spool, and what is in the spool afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_taskflow.consumers.lookup import Lookup
from otel_taskflow.consumers.outbox import Outbox
from otel_taskflow.consumers.outbox_routes import routes_of
from otel_taskflow.events import AttemptEnded, AttemptStarted, Event, TaskEnqueued, TaskLogged
from otel_taskflow.export import Destination, Endpoint, Filters
from otel_taskflow.model import AttemptOutcome, AttemptRow, ErrorInfo, SpanIdentity, TaskRow, TaskStatus
from otel_taskflow.ports import JournalHeader, JournalSlice
from otel_taskflow.spool import Spool
from otel_taskflow.telemetry.otlp.values import DataLimits

T0 = 1_700_000_000_000_000_000
SECOND = 1_000_000_000
TRACE = "1" * 32
SENT = SpanIdentity(TRACE, "a" * 16, None, 1)
RUN = SpanIdentity(TRACE, "b" * 16, "a" * 16, 1)
CARRIER = {"traceparent": f"00-{TRACE}-{'a' * 16}-01"}
HEADER = JournalHeader("default-1", T0, 1, "host", "boot", "host:1", resource={"service.name": "shop"})
FAILURE = ErrorInfo("ValueError", "no", "Traceback")


def enqueued(task_id: str = "t", span: SpanIdentity | None = SENT) -> TaskEnqueued:
    return TaskEnqueued(
        task_id,
        T0,
        "send",
        None,
        {"shop": "north"},
        None,
        "manual",
        False,
        span,
        CARRIER,
        3,
        "thread",
        code_name="shop.send",
    )


def started(task_id: str = "t", attempt: int = 0, span: SpanIdentity = RUN) -> AttemptStarted:
    return AttemptStarted(task_id, T0 + SECOND, attempt, span, "host:1", 5, None, "shop.send")


def logged(seq: int, level: str = "info", task_id: str = "t", **fields: Any) -> TaskLogged:
    late = fields.pop("late", False)
    logger = fields.pop("logger", None)
    return TaskLogged(task_id, T0 + SECOND + seq, 0, seq, level, f"line {seq}", fields, logger, late)


def ended(
    outcome: AttemptOutcome = AttemptOutcome.SUCCEEDED, task_id: str = "t", seconds: float = 1.0, lines: int = 2
) -> AttemptEnded:
    status = {
        AttemptOutcome.SUCCEEDED: TaskStatus.SUCCESS,
        AttemptOutcome.RETRYING: TaskStatus.RUNNING,
        AttemptOutcome.INTERRUPTED: TaskStatus.INTERRUPTED,
    }.get(outcome, TaskStatus.FAILED)
    error = FAILURE if outcome in (AttemptOutcome.FAILED, AttemptOutcome.RETRYING) else None
    reason = "process_died" if outcome is AttemptOutcome.INTERRUPTED else None
    return AttemptEnded(task_id, T0 + 9 * SECOND, 0, int(seconds * SECOND), outcome, status, error, None, reason, lines)


def piece(*events: Event, first: int = 1, header: JournalHeader = HEADER, live: bool = True) -> JournalSlice:
    return JournalSlice(header, first, first + len(events) - 1, list(enumerate(events, first)), live)


def destination(name: str = "otlp", signals: tuple[str, ...] = ("traces", "logs"), **filters: Any) -> Destination:
    endpoints = {signal: Endpoint(f"http://127.0.0.1:4318/v1/{signal}") for signal in signals}
    return Destination(name, endpoints, filters=Filters(**filters))


class Stage:
    """An outbox over a real spool, and what is in the spool afterwards."""

    def __init__(self, spool: Spool, *destinations: Destination, exports_spans: bool = True) -> None:
        self.spool = spool
        self.tasks: dict[str, TaskRow] = {}
        self.attempts: dict[tuple[str, int], AttemptRow] = {}
        self.bridged: set[str] = set()
        lookup = Lookup(self.tasks.get, lambda task_id, number: self.attempts.get((task_id, number)))
        self.outbox = Outbox(
            spool,
            routes_of(destinations or [destination()], exports_spans=exports_spans),
            lookup,
            limits=DataLimits(),
            is_bridged=lambda name, _level: name in self.bridged,
        )

    def spans(self, name: str = "otlp") -> list[Span]:
        return [parsed(Span(), each.body) for each in self.spool.take(name, "traces", 1000, 10**9)]

    def logs(self, name: str = "otlp") -> list[LogRecord]:
        return [parsed(LogRecord(), each.body) for each in self.spool.take(name, "logs", 1000, 10**9)]

    def lines(self, name: str = "otlp") -> list[str]:
        """Bodies of the records of task_log lines."""
        return [each.body.string_value for each in self.logs(name) if not each.event_name]

    def events(self, name: str = "otlp") -> list[str]:
        """Messages of the span events of the attempt."""
        (span,) = [each for each in self.spans(name) if each.name.startswith("process")]
        return [attributes_of(event)["message"] for event in span.events if event.name == "task.log"]

    def resources(self, name: str = "otlp", signal: str = "traces") -> list[str]:
        stored = self.spool.take(name, signal, 1000, 10**9)
        return [attributes_of(parsed(Resource(), each.source.resource)).get("service.name", "") for each in stored]


def parsed(message: Any, body: bytes) -> Any:
    message.ParseFromString(body)
    return message


def attributes_of(message: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in message.attributes}


Make = Callable[..., Stage]

WHOLE = (enqueued(), started(), logged(1, order_id="A1"), logged(2, "error"), ended())
