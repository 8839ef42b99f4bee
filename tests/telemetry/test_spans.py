"""What the spans of a task look like to a back end."""

from __future__ import annotations

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from otel_taskflow.model import AttemptOutcome, TaskRow, TaskStatus
from otel_taskflow.telemetry import OpenTelemetry
from otel_taskflow.telemetry.attempt import event_limit
from tests.telemetry.parts import FAILURE, SECOND, T0, Lines, Recorder, enqueued, ids, run


def test_the_enqueue_span_is_a_producer_under_the_requests_span(recorder: Recorder, telemetry: OpenTelemetry) -> None:
    with recorder.tracer.start_as_current_span("POST /orders") as request:
        task = enqueued(telemetry, tags={"shop": "north"})
    span = recorder.span("send send_email")
    assert span.kind is SpanKind.PRODUCER
    assert span.parent is not None
    assert span.parent.span_id == request.get_span_context().span_id
    assert span.status.status_code is StatusCode.UNSET
    assert dict(span.attributes or {}) == {
        "messaging.system": "otel_taskflow",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": "send_email",
        "messaging.message.id": "task-1",
        "code.function.name": "shop.send_email",
        "otel_taskflow.task.id": "task-1",
        "otel_taskflow.task.name": "send_email",
        "otel_taskflow.tag.shop": "north",
    }
    assert task.span is not None
    assert (task.span.trace_id, task.span.span_id) == ids(span)
    assert task.span.parent_span_id == f"{request.get_span_context().span_id:016x}"
    assert task.carrier["traceparent"].startswith(f"00-{task.span.trace_id}-{task.span.span_id}-")


def test_an_attempt_is_a_consumer_under_the_enqueue_span_with_a_link_to_it(
    recorder: Recorder, telemetry: OpenTelemetry
) -> None:
    task = enqueued(telemetry, max_attempts=3, tags={"shop": "north"})
    identity = run(telemetry, task)
    send, process = recorder.span("send send_email"), recorder.span("process send_email")
    assert process.kind is SpanKind.CONSUMER
    assert process.parent is not None
    assert process.parent.span_id == send.get_span_context().span_id
    assert [(link.context.span_id, dict(link.attributes or {})) for link in process.links] == [
        (send.get_span_context().span_id, {"otel_taskflow.link.type": "enqueue"})
    ]
    assert (identity.trace_id, identity.span_id) == ids(process)
    assert identity.trace_id == ids(send)[0]
    assert identity.parent_span_id == ids(send)[1]


def test_an_attempt_carries_its_attributes_times_and_no_status_when_it_succeeds(
    recorder: Recorder, telemetry: OpenTelemetry
) -> None:
    task = enqueued(telemetry, max_attempts=3, tags={"shop": "north"})
    run(telemetry, task)
    span = recorder.span("process send_email")
    assert (span.start_time, span.end_time) == (T0 + SECOND, T0 + 3 * SECOND)
    assert span.status.status_code is StatusCode.UNSET
    assert dict(span.attributes or {}) == {
        "messaging.system": "otel_taskflow",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "send_email",
        "messaging.message.id": "task-1",
        "code.function.name": "shop.send_email",
        "otel_taskflow.task.id": "task-1",
        "otel_taskflow.task.name": "send_email",
        "otel_taskflow.tag.shop": "north",
        "otel_taskflow.attempt.number": 1,
        "otel_taskflow.attempt.max": 3,
        "otel_taskflow.attempt.outcome": "succeeded",
        "otel_taskflow.queue.wait": 0.25,
        "otel_taskflow.worker.id": "host:7",
        "otel_taskflow.log.count": 0,
        "otel_taskflow.log.omitted": 0,
    }


def test_the_scope_names_the_package_its_version_and_the_schema(recorder: Recorder, telemetry: OpenTelemetry) -> None:
    enqueued(telemetry)
    scope = recorder.span("send send_email").instrumentation_scope
    assert scope is not None
    assert scope.name == "otel_taskflow"
    assert scope.version
    assert scope.schema_url == "https://opentelemetry.io/schemas/1.44.0"


def test_task_log_lines_are_events_with_their_own_time_and_extras(recorder: Recorder, telemetry: OpenTelemetry) -> None:
    lines = Lines(
        [
            (T0 + SECOND + 1, "info", "sending", {"order_id": "A1", "order": {"lines": 2}}),
            (T0 + SECOND + 2, "warning", "slow", {"message": "mine", "level": 7}),
        ]
    )
    run(telemetry, enqueued(telemetry), lines=lines)
    first, second = recorder.span("process send_email").events
    assert (first.name, first.timestamp) == ("task.log", T0 + SECOND + 1)
    assert dict(first.attributes or {}) == {"message": "sending", "level": "info", "order_id": "A1", "order.lines": 2}
    assert (second.name, second.timestamp) == ("task.log", T0 + SECOND + 2)
    assert dict(second.attributes or {}) == {
        "message": "slow",
        "level": "warning",
        "extra.message": "mine",
        "extra.level": 7,
    }


def test_a_failed_attempt_has_status_error_type_and_an_exception_event(
    recorder: Recorder, telemetry: OpenTelemetry
) -> None:
    run(telemetry, enqueued(telemetry), outcome=AttemptOutcome.FAILED, error=FAILURE)
    span = recorder.span("process send_email")
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "mailbox is full")
    assert (span.attributes or {})["error.type"] == "smtplib.SMTPError"
    (event,) = span.events
    assert (event.name, event.timestamp) == ("exception", T0 + 3 * SECOND)
    assert dict(event.attributes or {}) == {
        "exception.type": "smtplib.SMTPError",
        "exception.message": "mailbox is full",
        "exception.stacktrace": FAILURE.stacktrace,
    }


def test_an_interrupted_attempt_is_an_error_and_a_cancelled_one_is_not(
    recorder: Recorder, telemetry: OpenTelemetry
) -> None:
    run(telemetry, enqueued(telemetry, name="cut"), outcome=AttemptOutcome.INTERRUPTED, reason="shutdown")
    run(telemetry, enqueued(telemetry, name="stopped"), outcome=AttemptOutcome.CANCELLED, reason="user")
    cut, stopped = recorder.span("process cut"), recorder.span("process stopped")
    assert (cut.status.status_code, cut.status.description) == (StatusCode.ERROR, "shutdown")
    assert (cut.attributes or {})["error.type"] == "interrupted"
    assert stopped.status.status_code is StatusCode.UNSET
    assert (stopped.attributes or {})["otel_taskflow.attempt.reason"] == "user"


def test_retries_are_siblings_each_linked_to_the_one_before(recorder: Recorder, telemetry: OpenTelemetry) -> None:
    task = enqueued(telemetry, max_attempts=3)
    previous = None
    for attempt in range(3):
        previous = run(telemetry, task, attempt, previous, outcome=AttemptOutcome.RETRYING, error=FAILURE)
    attempts = [span for span in recorder.spans if span.name == "process send_email"]
    assert {span.parent.span_id for span in attempts if span.parent} == {
        recorder.span("send send_email").get_span_context().span_id
    }
    assert [(span.attributes or {})["otel_taskflow.attempt.number"] for span in attempts] == [1, 2, 3]
    links = [[link.context.span_id for link in span.links if _type(link) == "previous_attempt"] for span in attempts]
    before = [span.get_span_context().span_id for span in attempts]
    assert links == [[], [before[0]], [before[1]]]
    assert all(span.status.status_code is StatusCode.ERROR for span in attempts)


def test_in_link_mode_each_attempt_is_a_root_linked_to_the_enqueue_span(recorder: Recorder) -> None:
    telemetry = OpenTelemetry(recorder.tracer_provider, recorder.meter_provider, trace_mode="link")
    task = enqueued(telemetry)
    first = run(telemetry, task, 0)
    second = run(telemetry, task, 1, first)
    send, *attempts = recorder.spans
    assert [span.parent for span in attempts] == [None, None]
    assert len({first.trace_id, second.trace_id, ids(send)[0]}) == 3
    assert first.parent_span_id is None
    assert [[_type(link) for link in span.links] for span in attempts] == [["enqueue"], ["enqueue", "previous_attempt"]]


def test_a_task_without_an_enqueue_span_starts_a_trace(recorder: Recorder, telemetry: OpenTelemetry) -> None:
    run(telemetry, TaskRow("cron-1", "tidy", TaskStatus.PENDING, T0))
    span = recorder.span("process tidy")
    assert span.parent is None
    assert span.links == ()


def test_the_parent_is_remote_only_for_a_task_taken_over_from_another_process(
    recorder: Recorder, telemetry: OpenTelemetry
) -> None:
    task = enqueued(telemetry)
    run(telemetry, task)
    run(telemetry, task._replace(owner="another journal", name="again"))
    ours, taken = recorder.span("process send_email").parent, recorder.span("process again").parent
    assert ours is not None
    assert taken is not None
    assert (ours.is_remote, taken.is_remote) == (False, True)


def test_128_events_hold_the_first_and_last_lines_the_users_events_and_the_exception(
    recorder: Recorder, telemetry: OpenTelemetry
) -> None:
    from opentelemetry import trace

    kept: list[tuple[int, str, str, dict[str, object]]] = [
        (T0 + SECOND + n, "info", f"line {n}", {}) for n in [*range(64), *range(936, 1000)]
    ]

    def body() -> None:
        for n in range(3):
            trace.get_current_span().add_event(f"mine {n}")

    run(
        telemetry,
        enqueued(telemetry),
        body=body,
        lines=Lines(kept, count=1000),
        outcome=AttemptOutcome.FAILED,
        error=FAILURE,
    )
    span = recorder.span("process send_email")
    lines = [(event.attributes or {})["message"] for event in span.events if event.name == "task.log"]
    assert len(span.events) == 128
    assert [event.name for event in span.events[:3]] == ["mine 0", "mine 1", "mine 2"]
    assert span.events[-1].name == "exception"
    assert (lines[0], lines[61], lines[62], lines[-1]) == ("line 0", "line 61", "line 938", "line 999")
    assert (span.attributes or {})["otel_taskflow.log.count"] == 1000
    assert (span.attributes or {})["otel_taskflow.log.omitted"] == 1000 - 124


def test_a_lone_surrogate_reaches_no_span(recorder: Recorder, telemetry: OpenTelemetry) -> None:
    bad = "bad \ud800 text"
    task = enqueued(telemetry, name=bad, tags={bad: bad})
    error = FAILURE._replace(message=bad, stacktrace=bad, type=bad)
    lines = Lines([(T0, "info", bad, {bad: bad})])
    run(telemetry, task, lines=lines, outcome=AttemptOutcome.FAILED, error=error)
    for span in recorder.spans:
        span.to_json().encode()
        texts = [span.name, span.status.description or ""]
        for attributes in [span.attributes, *(event.attributes for event in span.events)]:
            for key, value in (attributes or {}).items():
                texts += [key, str(value)]
        assert all(_is_encodable(text) for text in texts)
    assert len(recorder.spans) == 2


def test_what_user_code_sets_on_the_span_stays(recorder: Recorder, telemetry: OpenTelemetry) -> None:
    from opentelemetry import trace

    def body() -> None:
        trace.get_current_span().set_attribute("order.total", 12.5)

    run(telemetry, enqueued(telemetry), body=body)
    assert (recorder.span("process send_email").attributes or {})["order.total"] == 12.5


def _type(link: object) -> object:
    return (getattr(link, "attributes", None) or {})["otel_taskflow.link.type"]


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@pytest.mark.parametrize(
    ("limit", "kept"),
    [("10", 9), (" 200 ", 128), ("0", 0), ("", 128), ("1", 0)],
    ids=["10", "200", "0", "unlimited", "1"],
)
def test_what_is_left_out_is_told_by_the_limit_that_the_sdk_has(
    monkeypatch: pytest.MonkeyPatch, limit: str, kept: int
) -> None:
    """A failed attempt with 128 kept lines; the exception is an event too."""
    monkeypatch.setenv("OTEL_SPAN_EVENT_COUNT_LIMIT", limit)
    recorder = Recorder()
    telemetry = OpenTelemetry(recorder.tracer_provider, recorder.meter_provider)
    lines = Lines([(T0, "info", f"line {number}", {}) for number in range(128)], count=1000)
    run(telemetry, enqueued(telemetry), lines=lines, outcome=AttemptOutcome.FAILED, error=FAILURE)
    span = recorder.span("process send_email")
    assert [event.name for event in span.events].count("task.log") == kept
    assert (span.attributes or {})["otel_taskflow.log.omitted"] == 1000 - kept
    assert span.dropped_events == (1 if limit == "0" else 0)


@pytest.mark.parametrize("limit", ["many", "-1"])
def test_a_limit_that_no_sdk_takes_is_the_usual_one(limit: str) -> None:
    assert event_limit({"OTEL_SPAN_EVENT_COUNT_LIMIT": limit}) == event_limit({}) == 128
