"""The logs signal: every line, on the attempt's span, whatever thread wrote it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from otel_taskflow.events import AttemptEnded, AttemptStarted, TaskAdopted, TaskEnqueued, TaskLogged, TaskSettled
from otel_taskflow.model import AttemptOutcome, SpanIdentity, TaskRow, TaskStatus
from otel_taskflow.ports import JournalHeader, JournalSlice
from otel_taskflow.telemetry import LogRecordConsumer
from otel_taskflow.telemetry.records import MAX_FINISHED
from tests.telemetry.parts import FAILURE, SECOND, T0, Recorder, end_of

ENQUEUE = SpanIdentity("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", None, 1)
ATTEMPT = SpanIdentity("0af7651916cd43dd8448eb211c80319c", "00f067aa0ba902b7", "b7ad6b7169203331", 1)
HEADER = JournalHeader("j", T0, 1, "host", "boot", "host:1")
ADDED = TaskEnqueued("t", T0, "send_email", None, {}, None, "manual", False, ENQUEUE, {}, 3, "thread")
STARTED = AttemptStarted("t", T0 + SECOND, 0, ATTEMPT, "host:1", SECOND // 4)
TASK = TaskRow("t", "send_email", TaskStatus.PENDING, T0, span=ENQUEUE)


def consume(consumer: LogRecordConsumer, events: Sequence[Any], *, live: bool = True) -> None:
    consumer.consume(JournalSlice(HEADER, 1, len(events), list(enumerate(events, 1)), live))


def line(seq: int = 1, message: str = "sending", level: str = "info", **more: Any) -> TaskLogged:
    values = {"extra": {}, **more}
    return TaskLogged("t", T0 + SECOND + seq, 0, seq, level, message, **values)


def lines_of(recorder: Recorder) -> list[Any]:
    return [record for record in recorder.records if record.event_name is None]


def test_a_line_is_a_record_on_the_attempts_span_without_an_event_name(recorder: Recorder) -> None:
    consume(
        LogRecordConsumer(recorder.logger_provider),
        [ADDED, STARTED, line(extra={"order_id": "A1", "log": {"record": {"uid": "mine"}}})],
    )
    (record,) = lines_of(recorder)
    assert record.body == "sending"
    assert record.timestamp == T0 + SECOND + 1
    assert (record.severity_number.value, record.severity_text) == (9, "INFO")
    assert f"{record.trace_id:032x}" == ATTEMPT.trace_id
    assert f"{record.span_id:016x}" == ATTEMPT.span_id
    assert record.trace_flags == 1
    assert dict(record.attributes) == {
        "otel_taskflow.task.id": "t",
        "otel_taskflow.task.name": "send_email",
        "otel_taskflow.attempt.number": 1,
        "log.record.uid": "t-0-1",
        "order_id": "A1",
        "extra.log.record.uid": "mine",
    }


@pytest.mark.parametrize(
    ("level", "number", "text"),
    [("debug", 5, "DEBUG"), ("info", 9, "INFO"), ("warning", 13, "WARN"), ("error", 17, "ERROR")],
)
def test_levels_are_severities(recorder: Recorder, level: str, number: int, text: str) -> None:
    consume(LogRecordConsumer(recorder.logger_provider), [ADDED, STARTED, line(level=level)])
    (record,) = lines_of(recorder)
    assert (record.severity_number.value, record.severity_text) == (number, text)


def test_the_life_of_an_attempt_is_named_events(recorder: Recorder) -> None:
    retrying = end_of(TASK, outcome=AttemptOutcome.RETRYING, error=FAILURE)
    failed = end_of(TASK, 1, AttemptOutcome.FAILED, FAILURE)
    events = [ADDED, STARTED, retrying, STARTED._replace(attempt=1), failed]
    consume(LogRecordConsumer(recorder.logger_provider), events)
    assert [(record.event_name, record.severity_text) for record in recorder.records] == [
        ("otel_taskflow.attempt.started", "DEBUG"),
        ("messaging.process.exception", "WARN"),
        ("otel_taskflow.attempt.retry_scheduled", "WARN"),
        ("otel_taskflow.attempt.started", "DEBUG"),
        ("messaging.process.exception", "ERROR"),
    ]
    exception, retry = recorder.records[1:3]
    assert exception.attributes["exception.type"] == "smtplib.SMTPError"
    assert exception.attributes["exception.stacktrace"] == FAILURE.stacktrace
    assert exception.attributes["error.type"] == "smtplib.SMTPError"
    assert retry.attributes["otel_taskflow.retry.wait"] == 2.0
    assert retry.body == "attempt 2 follows in 2 s"
    assert len({record.attributes["log.record.uid"] for record in recorder.records}) == 5


@pytest.mark.failure("S10")
@pytest.mark.parametrize("due", [T0 - 3600 * SECOND, T0 + 7200 * SECOND], ids=["put back", "put forward"])
def test_a_clock_that_is_put_on_while_an_attempt_runs_changes_no_wait(recorder: Recorder, due: int) -> None:
    ended = end_of(TASK, outcome=AttemptOutcome.RETRYING, error=FAILURE)
    consume(
        LogRecordConsumer(recorder.logger_provider), [ADDED, STARTED, ended._replace(waiting_until=due, retry_wait=0)]
    )
    retry = recorder.records[-1]
    assert retry.attributes["otel_taskflow.retry.wait"] == 0.0
    assert retry.body == "attempt 2 follows in 0 s"


def test_an_interruption_is_an_error_event(recorder: Recorder) -> None:
    interrupted = end_of(TASK, outcome=AttemptOutcome.INTERRUPTED, reason="process_died")
    consume(LogRecordConsumer(recorder.logger_provider), [ADDED, STARTED, interrupted])
    record = recorder.records[-1]
    assert (record.event_name, record.severity_text) == ("otel_taskflow.attempt.interrupted", "ERROR")
    assert record.attributes["otel_taskflow.attempt.reason"] == "process_died"


def test_a_line_after_the_end_is_still_on_its_attempt(recorder: Recorder) -> None:
    consume(LogRecordConsumer(recorder.logger_provider), [ADDED, STARTED, end_of(TASK), line(late=True)])
    (record,) = lines_of(recorder)
    assert f"{record.span_id:016x}" == ATTEMPT.span_id
    assert record.attributes["otel_taskflow.log.late"] is True


def test_a_task_taken_over_is_looked_up(recorder: Recorder) -> None:
    consumer = LogRecordConsumer(recorder.logger_provider)
    consumer.resolve_with(lambda task_id: TASK if task_id == "t" else None)
    interrupted = end_of(TASK, outcome=AttemptOutcome.INTERRUPTED, reason="process_died")
    consume(consumer, [TaskAdopted("t", T0, "dead"), interrupted])
    (record,) = recorder.records
    assert record.attributes["otel_taskflow.task.name"] == "send_email"
    assert f"{record.trace_id:032x}" == ENQUEUE.trace_id
    assert f"{record.span_id:016x}" == ENQUEUE.span_id


def test_an_unknown_task_still_gets_its_lines_out(recorder: Recorder) -> None:
    consume(LogRecordConsumer(recorder.logger_provider), [line()])
    (record,) = recorder.records
    assert record.trace_id in (0, None)
    assert "otel_taskflow.task.name" not in record.attributes


def test_a_dead_process_is_not_replayed(recorder: Recorder) -> None:
    consume(LogRecordConsumer(recorder.logger_provider), [ADDED, STARTED, line()], live=False)
    assert recorder.records == []


def test_what_is_remembered_of_tasks_is_bounded(recorder: Recorder) -> None:
    consumer = LogRecordConsumer(recorder.logger_provider)
    for n in range(MAX_FINISHED + 50):
        events = [ADDED._replace(task_id=str(n)), TaskSettled(str(n), T0, TaskStatus.CANCELLED, "user")]
        consume(consumer, events)
    assert consumer.remembered == MAX_FINISHED


def test_a_lone_surrogate_reaches_no_record(recorder: Recorder) -> None:
    bad = "bad \ud800 text"
    failed: AttemptEnded = end_of(TASK, outcome=AttemptOutcome.FAILED, error=FAILURE._replace(message=bad, type=bad))
    events = [
        ADDED._replace(name=bad),
        STARTED._replace(worker=bad),
        line(message=bad, extra={bad: bad}, logger=bad),
        failed,
    ]
    consume(LogRecordConsumer(recorder.logger_provider), events)
    assert len(recorder.records) == 3
    for record in recorder.records:
        record.body.encode()
        for key, value in record.attributes.items():
            key.encode()
            str(value).encode()


def test_a_long_line_is_whole_and_its_attributes_stay_within_what_back_ends_take(recorder: Recorder) -> None:
    extra = {f"key{n}": "v" * 2000 for n in range(200)}
    consume(LogRecordConsumer(recorder.logger_provider), [ADDED, STARTED, line(message="m" * 65_000, extra=extra)])
    (record,) = lines_of(recorder)
    assert len(record.body) == 65_000
    assert len(record.attributes) <= 96
    assert sum(len(key) + len(str(value)) for key, value in record.attributes.items()) <= 48 * 1024
    assert record.attributes["otel_taskflow.extra.omitted"] > 100


class LoggingHandler(logging.Handler):
    """As OpenTelemetry's handler looks from outside."""

    __module__ = "opentelemetry.sdk._logs._internal"

    def emit(self, record: logging.LogRecord) -> None:
        """Nothing."""


@pytest.fixture
def bridged() -> Iterator[str]:
    handler = LoggingHandler()
    logging.getLogger("shop").addHandler(handler)
    yield "shop.mail"
    logging.getLogger("shop").removeHandler(handler)


def test_captured_lines_below_the_level_of_the_handler_are_log_records_all_the_same(
    recorder: Recorder, bridged: str
) -> None:
    logging.getLogger("shop").handlers[-1].setLevel(logging.ERROR)
    events = [ADDED, STARTED, line(1, logger=bridged), line(2, level="error", logger=bridged)]
    consume(LogRecordConsumer(recorder.logger_provider), events)
    assert [record.attributes["log.record.uid"] for record in lines_of(recorder)] == ["t-0-1"]


def test_captured_lines_that_leave_through_a_handler_already_are_not_doubled(recorder: Recorder, bridged: str) -> None:
    events = [ADDED, STARTED, line(1, logger=bridged), line(2, logger="elsewhere"), line(3)]
    consume(LogRecordConsumer(recorder.logger_provider), events)
    assert [record.attributes["log.record.uid"] for record in lines_of(recorder)] == ["t-0-2", "t-0-3"]
    assert lines_of(recorder)[0].attributes["otel_taskflow.log.logger"] == "elsewhere"
