"""What is encoded from the journal's events, compared with what the SDK's exporter sends for the same attempts."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.trace import SpanContext, Status, StatusCode, TraceFlags
from pydantic_core import from_json, to_json

from otel_taskflow.events import AttemptEnded, AttemptStarted, TaskEnqueued, TaskLogged
from otel_taskflow.model import AttemptOutcome, ErrorInfo, SpanIdentity, TaskRow
from otel_taskflow.ports import JournalHeader, JournalSlice
from otel_taskflow.telemetry import LogRecordConsumer, OpenTelemetry
from otel_taskflow.telemetry.additions import (
    DEEPEST,
    MOST_BYTES,
    MOST_CHARACTERS,
    packed_attributes,
    unpacked_attributes,
)
from otel_taskflow.telemetry.attempt import LiveAttemptSpan
from otel_taskflow.telemetry.guard import Mishaps
from otel_taskflow.telemetry.journalled import JournalledAttemptSpan
from otel_taskflow.telemetry.lifecycle_records import records_of_end, records_of_start
from otel_taskflow.telemetry.otlp.attempts import OpenAttempt, span_of_attempt, span_of_enqueue
from otel_taskflow.telemetry.otlp.encode import encode_log, encode_resource, encode_scope, encode_span
from otel_taskflow.telemetry.otlp.limits import limited_log, limited_span
from otel_taskflow.telemetry.otlp.logs import log_of_line, log_of_record
from otel_taskflow.telemetry.otlp.values import DataLimits, LogData
from tests.telemetry.parts import FAILURE, SECOND, T0, Lines, Recorder, end_of, enqueued

LINES = [
    (T0 + SECOND + number, level, f"line {number}", {"order_id": f"A{number}", "total": 9.5, "n": number, "ok": True})
    for number, level in enumerate(["info", "warning", "debug", "error"] * 50)
]


def everything() -> None:
    """What user code may do with the span of its attempt."""
    span = trace.get_current_span()
    span.set_attribute("customer", "Zoë")
    span.set_attribute("sizes", [1, 2, 3])
    span.set_attribute("raw", b"\xff\x00")
    span.set_attribute("address", {"city": "Bonn", "floors": [1, 2], "plan": {"scan": b"\x00"}})  # type: ignore[arg-type]
    span.set_attribute("otel_taskflow.task.name", "mine")
    span.add_event("cache miss", {"key": "k", "ratio": 0.5, "raw": b"\xfe"}, T0 + SECOND + 1)
    span.record_exception(ValueError("swallowed"), timestamp=T0 + SECOND + 2)
    span.add_link(SpanContext(5, 6, True, TraceFlags(1)), {"why": "cause"})
    span.update_name("a better name")


def own_status(code: StatusCode, description: str | None = None) -> Callable[[], None]:
    return lambda: trace.get_current_span().set_status(Status(code, description))


class Both:
    """One attempt, exported by the SDK and encoded from its events."""

    def __init__(self, recorder: Recorder, telemetry: OpenTelemetry) -> None:
        self._recorder = recorder
        self._telemetry = telemetry

    def run(
        self,
        task: TaskRow,
        body: Callable[[], Any] = lambda: None,
        lines: Sequence[tuple[int, str, str, Any]] = (),
        previous: SpanIdentity | None = None,
        **ending: Any,
    ) -> tuple[Span, Span]:
        """The span of the SDK, and ours."""
        before = AttemptStarted(
            task.task_id, T0 + SECOND, 0, SpanIdentity("", ""), "host:7", SECOND // 4, previous, "shop.send"
        )
        span = self._telemetry.start_attempt(task, before)
        assert isinstance(span, LiveAttemptSpan)
        live = trace.get_current_span(span.context)
        journalled = JournalledAttemptSpan(live, span.identity, span.context, Mishaps())

        def inside() -> None:
            span.activate()
            body()

        contextvars.copy_context().run(inside)
        started = before._replace(span=span.identity)
        ended = end_of(task, log_count=len(lines), **ending)._replace(span=journalled.additions())
        span.end(ended, Lines(_first_and_last(lines), len(lines)), None)
        return self._sent(), _decoded(encode_span(self._made(task, started, ended, lines)))

    def _sent(self) -> Span:
        request = encode_spans([self._recorder.spans[-1]])
        return _ordered(request.resource_spans[0].scope_spans[0].spans[0])

    @staticmethod
    def _made(task: TaskRow, started: AttemptStarted, ended: AttemptEnded, lines: Sequence[Any]) -> Any:
        attempt = OpenAttempt(started, task, ({}, ""))
        for seq, (time, level, message, extra) in enumerate(lines, 1):
            attempt.add(TaskLogged(task.task_id, time, 0, seq, level, message, extra))
        again = OpenAttempt.from_bytes(attempt.to_bytes())
        return limited_span(span_of_attempt(again, ended, lambda level: True, 128), DataLimits())


@pytest.fixture
def both(recorder: Recorder, telemetry: OpenTelemetry) -> Both:
    return Both(recorder, telemetry)


def _first_and_last(lines: Sequence[Any]) -> Sequence[Any]:
    return lines if len(lines) <= 128 else [*lines[:64], *lines[-64:]]


def _decoded(body: bytes) -> Span:
    span = Span()
    span.ParseFromString(body)
    return _ordered(span)


def _ordered(span: Span) -> Span:
    """Attributes are a map, whatever order they come in."""
    span.attributes.sort(key=lambda pair: pair.key)
    return span


@pytest.mark.parametrize("count", [0, 1, 127, 128, 129, 200])
def test_an_attempts_span_is_what_the_sdk_sends(both: Both, telemetry: OpenTelemetry, count: int) -> None:
    task = enqueued(telemetry, max_attempts=3, tags={"shop": "north", "größe": "ü"})
    sent, made = both.run(task, lines=LINES[:count])
    assert made == sent


@pytest.mark.parametrize(
    "outcome",
    [AttemptOutcome.FAILED, AttemptOutcome.RETRYING, AttemptOutcome.TIMED_OUT, AttemptOutcome.INTERRUPTED],
)
@pytest.mark.parametrize("error", [FAILURE, None])
def test_a_failed_attempts_span_is_what_the_sdk_sends(
    both: Both, telemetry: OpenTelemetry, outcome: AttemptOutcome, error: Any
) -> None:
    sent, made = both.run(enqueued(telemetry), lines=LINES[:130], outcome=outcome, error=error, reason="shutdown")
    assert made == sent


@pytest.mark.parametrize(
    "body",
    [
        everything,
        own_status(StatusCode.OK),
        own_status(StatusCode.ERROR, "half of it"),
        lambda: [trace.get_current_span().add_event(f"event {number}", {}, T0) for number in range(100)],
        lambda: [trace.get_current_span().set_attribute(f"key {number}", number) for number in range(90)],
    ],
)
@pytest.mark.parametrize("error", [FAILURE, None])
def test_what_user_code_does_with_its_span_is_what_the_sdk_sends(
    both: Both, telemetry: OpenTelemetry, body: Callable[[], None], error: Any
) -> None:
    outcome = AttemptOutcome.SUCCEEDED if error is None else AttemptOutcome.FAILED
    sent, made = both.run(enqueued(telemetry), body, LINES[:60], outcome=outcome, error=error)
    assert made == sent


def test_the_links_to_the_enqueue_span_and_to_the_previous_attempt_are_what_the_sdk_sends(
    both: Both, telemetry: OpenTelemetry
) -> None:
    task = enqueued(telemetry)
    assert task.span is not None
    sent, made = both.run(task, previous=SpanIdentity(task.span.trace_id, "00000000000000aa", None, 1))
    assert len(sent.links) == 2
    assert made == sent


@pytest.mark.parametrize("trace_mode", ["child", "link"])
def test_a_task_of_another_process_has_a_remote_parent_as_the_sdk_says(recorder: Recorder, trace_mode: str) -> None:
    telemetry = OpenTelemetry(recorder.tracer_provider, recorder.meter_provider, trace_mode=trace_mode)
    task = enqueued(telemetry)._replace(owner="another")
    sent, made = Both(recorder, telemetry).run(task)
    if trace_mode == "link":
        # A root has no parent that could be remote.
        assert not made.parent_span_id
        made.flags = sent.flags
    assert made == sent


def test_the_enqueue_span_is_what_the_sdk_sends(recorder: Recorder, telemetry: OpenTelemetry) -> None:
    with recorder.tracer.start_as_current_span("POST /orders"):
        task = enqueued(telemetry, tags={"shop": "north"})
    sent = _ordered(encode_spans([recorder.span("send send_email")]).resource_spans[0].scope_spans[0].spans[0])
    ours = span_of_enqueue(task, "shop.send_email")
    assert ours is not None
    made = _decoded(encode_span(ours))
    assert made.start_time_unix_nano == made.end_time_unix_nano == T0
    made.start_time_unix_nano, made.end_time_unix_nano = sent.start_time_unix_nano, sent.end_time_unix_nano
    assert made == sent


def test_an_enqueue_span_that_was_not_sampled_is_not_exported(recorder: Recorder, telemetry: OpenTelemetry) -> None:
    task = enqueued(telemetry)
    assert task.span is not None
    assert span_of_enqueue(task._replace(span=task.span._replace(trace_flags=0)), "") is None


def test_a_process_that_died_ends_its_span_at_the_last_it_said(telemetry: OpenTelemetry) -> None:
    task = enqueued(telemetry)
    assert task.span is not None
    started = AttemptStarted(task.task_id, T0, 0, task.span, "host:7", 0)
    attempt = OpenAttempt(started, task, ({}, ""))
    attempt.add(TaskLogged(task.task_id, T0 + 7, 0, 1, "info", "last words", {}))
    ended = end_of(task, outcome=AttemptOutcome.INTERRUPTED, reason="process_died")
    assert span_of_attempt(attempt, ended, lambda level: True, 128).end_time == T0 + 7
    seen = ended._replace(error=ErrorInfo("ProcessDied", "killed by SIGKILL", ""))
    assert span_of_attempt(attempt, seen, lambda level: True, 128).end_time == seen.time, "a worker's, seen by its app"


def test_log_records_are_what_the_sdk_sends(recorder: Recorder, telemetry: OpenTelemetry) -> None:
    task = enqueued(telemetry)
    assert task.span is not None
    span = task.span._replace(span_id="00000000000000bb", parent_span_id=task.span.span_id)
    started = AttemptStarted(task.task_id, T0, 0, span, "host:7", 5)
    lines = [
        TaskLogged(task.task_id, T0 + seq, 0, seq, level, message, extra, logger, late)
        for seq, (level, message, extra, logger, late) in enumerate(
            [
                ("info", "plain", {}, None, False),
                (
                    "error",
                    "größer",
                    {"order_id": "A1", "order": {"id": 7, "tags": ["a", "b"]}, "none": None},
                    None,
                    False,
                ),
                ("debug", "from a library", {"message": "mine", "nan": "NaN"}, "old.code", False),
                ("warning", "late", {"big": 2**70}, None, True),
            ],
            1,
        )
    ]
    ended = end_of(task, outcome=AttemptOutcome.RETRYING, error=FAILURE, log_count=4)
    sent = _records_of_the_sdk(recorder, [_enqueued(task), started, *lines, ended])
    made = [
        *(log_of_record(record, 0, task.name, span) for record in records_of_start(started)),
        *(log_of_line(line, task.name, span) for line in lines),
        *(log_of_record(record, 0, task.name, span) for record in records_of_end(ended)),
    ]
    assert [_log(encode_log(limited_log(data, DataLimits()))) for data in made] == sent


def _enqueued(task: TaskRow) -> TaskEnqueued:
    return TaskEnqueued(
        task.task_id, T0, task.name, None, task.tags, None, "manual", False, task.span, task.carrier, 1, "thread"
    )


def _records_of_the_sdk(recorder: Recorder, events: list[Any]) -> list[LogRecord]:
    kept = InMemoryLogRecordExporter()
    recorder.logger_provider.add_log_record_processor(SimpleLogRecordProcessor(kept))
    header = JournalHeader("j", 0, 1, "host", "", "host:7")
    LogRecordConsumer(recorder.logger_provider).consume(
        JournalSlice(header, 1, len(events), list(enumerate(events, 1)))
    )
    records = encode_logs(kept.get_finished_logs()).resource_logs[0].scope_logs[0].log_records
    for record in records:
        record.observed_time_unix_nano = record.time_unix_nano
    return list(records)


def _log(body: bytes) -> LogRecord:
    record = LogRecord()
    record.ParseFromString(body)
    return record


def test_resource_and_scope_are_what_the_sdk_sends(recorder: Recorder, telemetry: OpenTelemetry) -> None:
    enqueued(telemetry)
    of_resource = encode_spans([recorder.spans[-1]]).resource_spans[0]
    scope = of_resource.scope_spans[0].scope
    resource = encode_resource(dict(recorder.tracer_provider.resource.attributes))
    assert resource == of_resource.resource.SerializeToString()
    assert encode_scope(scope.name, scope.version) == scope.SerializeToString()


def test_limits_cut_what_is_sent_and_count_it(both: Both, telemetry: OpenTelemetry) -> None:
    task = enqueued(telemetry, tags={f"tag{number}": "value" for number in range(20)})
    attempt = OpenAttempt(AttemptStarted(task.task_id, T0, 0, SpanIdentity("1" * 32, "2" * 16), "w", 0), task, ({}, ""))
    for seq, (time, level, message, extra) in enumerate(LINES[:100], 1):
        attempt.add(TaskLogged(task.task_id, time, 0, seq, level, message, extra))
    limits = DataLimits(attributes=10, events=5, links=0, event_attributes=2, attribute_length=3)
    span = limited_span(span_of_attempt(attempt, end_of(task, log_count=100), lambda level: True, 5), limits)
    assert (len(span.attributes), len(span.events), len(span.links)) == (10, 5, 0)
    assert (span.dropped_attributes > 10, span.dropped_links) == (True, 1)
    assert dict(span.events[0].attributes) == {"message": "lin", "level": "inf"}
    log = limited_log(
        LogData(1, 1, 9, "INFO", "body", {"a": "long", "b": 1}), DataLimits(log_attributes=1, log_attribute_length=2)
    )
    assert (log.attributes, log.dropped_attributes) == ({"a": "lo"}, 1)


def test_a_hostile_value_on_a_span_does_not_harm_the_end_of_its_attempt(both: Both, telemetry: OpenTelemetry) -> None:
    def body() -> None:
        span = trace.get_current_span()
        span.update_name("lone \ud800 surrogate")
        span.set_attribute("bytes", b"\xff\x00")
        span.set_attribute("nan", float("nan"))
        span.set_attribute("big", 2**70)

    task = enqueued(telemetry)
    with pytest.raises(UnicodeEncodeError):
        both.run(task, body)  # what the SDK's own encoder makes of such a name
    assert _ended_after(telemetry, body).name == "lone \\ud800 surrogate"


def test_of_what_is_too_much_for_a_span_the_rest_is_kept_and_the_loss_counted(telemetry: OpenTelemetry) -> None:
    def body() -> None:
        span = trace.get_current_span()
        span.set_attribute("page", "x" * MOST_BYTES)
        span.set_attribute("customer", "Zoë")
        for number in range(10):
            span.add_event(f"part {number}", {"body": "y" * (MOST_BYTES // 4)})
        span.add_link(SpanContext(5, 6, True, TraceFlags(1)), {"why": "z" * MOST_BYTES})
        span.update_name("n" * MOST_BYTES)

    made = _ended_after(telemetry, body)
    kept = {pair.key for pair in made.attributes}
    assert ("customer" in kept, "page" in kept, made.dropped_attributes_count) == (True, False, 1)
    assert [event.name for event in made.events] == ["part 0", "part 1", "part 2"]
    assert (made.dropped_events_count, made.dropped_links_count) == (7, 1)
    assert len(made.name) == MOST_CHARACTERS


def test_of_more_attributes_than_the_limit_those_of_user_code_are_left_out(
    both: Both, telemetry: OpenTelemetry
) -> None:
    def body() -> None:
        for number in range(120):
            trace.get_current_span().set_attribute(f"mine {number}", number)

    _, made = both.run(enqueued(telemetry), body, outcome=AttemptOutcome.FAILED, error=FAILURE)
    kept = {pair.key for pair in made.attributes}
    assert kept >= {"otel_taskflow.attempt.outcome", "otel_taskflow.log.count", "error.type", "mine 0"}
    assert (len(kept), "mine 119" in kept) == (128, False)
    assert made.dropped_attributes_count == len(kept - {f"mine {number}" for number in range(120)}) + 120 - 128


def test_of_a_value_nested_too_deep_the_inside_becomes_text() -> None:
    value: Any = {"a": [1]}
    for _ in range(5000):
        value = {"in": value}
    deep = packed_attributes({"shallow": {"a": [1]}, "deep": value})
    kept = unpacked_attributes(from_json(to_json(deep)))
    assert kept["shallow"] == {"a": [1]}
    inside = kept["deep"]
    for _ in range(DEEPEST):
        inside = inside["in"]
    assert isinstance(inside, str)


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (T0 + 1.0, int(T0 + 1.0)),
        (-5, 0),
        (2**70, 2**64 - 1),
        (datetime(2026, 1, 1, tzinfo=timezone.utc), None),
        (float("nan"), None),
        (object(), None),
    ],
)
def test_an_event_with_a_time_that_is_none_is_sent_with_the_nearest_or_the_attempts_end(
    telemetry: OpenTelemetry, given: Any, sent: int | None
) -> None:
    made = _ended_after(telemetry, lambda: trace.get_current_span().add_event("seen", timestamp=given))
    (event,) = made.events
    assert event.time_unix_nano == (made.end_time_unix_nano if sent is None else sent)


def _ended_after(telemetry: OpenTelemetry, body: Callable[[], Any]) -> Span:
    """Our span of an attempt whose code did this, by way of the journal's JSON."""
    task = enqueued(telemetry)
    before = AttemptStarted(task.task_id, T0, 0, SpanIdentity("", ""), "w", 0)
    span = telemetry.start_attempt(task, before)
    assert isinstance(span, LiveAttemptSpan)
    journalled = JournalledAttemptSpan(trace.get_current_span(span.context), span.identity, span.context, Mishaps())
    contextvars.copy_context().run(lambda: (span.activate(), body()))
    additions = from_json(to_json(journalled.additions(), inf_nan_mode="constants"))
    ended = end_of(task)._replace(span=additions)
    attempt = OpenAttempt(before._replace(span=span.identity), task, ({}, ""))
    return _decoded(encode_span(span_of_attempt(attempt, ended, lambda level: True, 128)))
