from __future__ import annotations

import pytest

from otel_taskflow.consumers.lookup import NOWHERE, Lookup
from otel_taskflow.consumers.observer_events import MAX_FINISHED, KnownTask, KnownTasks, Translator
from otel_taskflow.events import Event, LifecycleEvent, LogEvent
from otel_taskflow.model import AttemptRow, ErrorInfo, TaskRow, TaskStatus
from otel_taskflow.observers.base import ObserverEvent
from otel_taskflow.record import to_datetime
from tests.observers.stream import RETRY_SPAN, SPAN, TASK, TIME, ended, enqueued, logged, settled, started

ROW = TaskRow(TASK, "from_store", TaskStatus.RUNNING, TIME, tags={"tenant": "acme"}, attempts=1)
ERROR = ErrorInfo("ValueError", "boom", "Traceback")


def translate(*events: Event, row: TaskRow | None = None) -> list[ObserverEvent]:
    translator = Translator(NOWHERE._replace(task=lambda task_id: row))
    return [event for _, event in translator.translate(enumerate(events, 1))]


def states(*events: Event) -> list[tuple[str, int, int]]:
    told = translate(*events)
    return [
        (event.status.name, event.attempt, event.retries_used) for event in told if isinstance(event, LifecycleEvent)
    ]


def test_a_line_knows_its_task_tags_attempt_and_span() -> None:
    told = translate(enqueued(tenant="acme"), started(), logged("hello", "warning", seq=3, order=1))
    assert told[1] == LogEvent(
        task_id=TASK,
        func_name="send_email",
        message="hello",
        level="warning",
        timestamp=to_datetime(TIME),
        attempt=0,
        tags={"tenant": "acme"},
        extra={"order": 1},
        trace_id=SPAN.trace_id,
        span_id=SPAN.span_id,
        seq=3,
    )


def test_a_task_is_told_to_run_once_and_to_end_once() -> None:
    assert states(enqueued(), started(), ended(TaskStatus.SUCCESS)) == [("RUNNING", 0, 0), ("SUCCESS", 0, 0)]


def test_a_retry_is_told_only_by_the_end() -> None:
    first = [enqueued(), started(), ended(TaskStatus.RUNNING, error=ERROR), started(1)]
    assert states(*first, ended(TaskStatus.SUCCESS, 1)) == [("RUNNING", 0, 0), ("SUCCESS", 1, 1)]


def test_a_line_of_a_retry_has_the_span_of_the_retry() -> None:
    told = translate(enqueued(), started(), ended(TaskStatus.RUNNING), started(1), logged(attempt=1))
    assert told[-1].span_id == RETRY_SPAN.span_id


def test_the_end_has_duration_error_stack_and_span() -> None:
    event = translate(enqueued(tenant="acme"), started(), ended(TaskStatus.FAILED, error=ERROR))[-1]
    assert event == LifecycleEvent(
        task_id=TASK,
        func_name="send_email",
        status=TaskStatus.FAILED,
        timestamp=to_datetime(TIME),
        attempt=0,
        retries_used=0,
        duration=0.25,
        error="boom",
        stacktrace="Traceback",
        tags={"tenant": "acme"},
        trace_id=SPAN.trace_id,
        span_id=SPAN.span_id,
    )


def test_an_interrupted_attempt_has_no_duration() -> None:
    event = translate(enqueued(), started(), ended(TaskStatus.INTERRUPTED))[-1]
    assert isinstance(event, LifecycleEvent)
    assert (event.status, event.duration) == (TaskStatus.INTERRUPTED, None)


def test_a_task_cancelled_while_it_waits_for_a_retry_is_told_to_have_ended() -> None:
    events = [enqueued(), started(), ended(TaskStatus.RUNNING, error=ERROR), settled(TaskStatus.CANCELLED)]
    assert states(*events) == [("RUNNING", 0, 0), ("CANCELLED", 0, 0)]


def test_a_task_cancelled_before_it_ran_is_not_told() -> None:
    assert states(enqueued(), settled(TaskStatus.CANCELLED)) == []


def test_a_task_whose_beginning_was_not_seen_is_known_from_the_store() -> None:
    (event,) = translate(logged(), row=ROW)
    assert (event.func_name, event.tags, event.span_id) == ("from_store", {"tenant": "acme"}, None)


def test_lines_and_end_of_an_attempt_whose_beginning_was_not_seen_have_its_span_from_the_store() -> None:
    attempt = AttemptRow(TASK, 0, TIME, SPAN, "dead:1")
    asked: list[tuple[str, int]] = []

    def load_attempt(task_id: str, number: int) -> AttemptRow | None:
        asked.append((task_id, number))
        return attempt if number == 0 else None

    translator = Translator(Lookup(lambda task_id: ROW, load_attempt))
    told = translator.translate(enumerate([logged("a"), logged("b"), ended(TaskStatus.INTERRUPTED)]))
    assert [(event.trace_id, event.span_id) for _, event in told] == [(SPAN.trace_id, SPAN.span_id)] * 3
    assert asked == [(TASK, 0)]


def test_a_late_line_of_an_earlier_attempt_has_that_ones_span() -> None:
    late = logged(attempt=0)._replace(late=True)
    told = translate(enqueued(), started(), ended(TaskStatus.RUNNING), started(1), late, logged(attempt=1))
    assert [event.span_id for event in told[-2:]] == [SPAN.span_id, RETRY_SPAN.span_id]


def test_a_task_that_nobody_knows_keeps_its_lines() -> None:
    (event,) = translate(logged())
    assert (event.func_name, event.task_id) == ("unknown", TASK)


def test_a_store_that_fails_costs_name_and_span_only() -> None:
    def fail(task_id: str) -> TaskRow | None:
        raise OSError("disk")

    def fail_again(task_id: str, attempt: int) -> AttemptRow | None:
        raise OSError("disk")

    ((_, event),) = Translator(Lookup(fail, fail_again)).translate([(1, logged())])
    assert (event.func_name, event.span_id) == ("unknown", None)


def test_each_is_told_with_the_number_of_what_it_is_about() -> None:
    events = [(4, enqueued()), (5, started()), (8, logged())]
    assert [seq for seq, _ in Translator(NOWHERE).translate(events)] == [5, 8]


def test_a_late_line_still_knows_task_and_span() -> None:
    told = translate(enqueued(), started(), ended(TaskStatus.SUCCESS), logged()._replace(late=True))
    assert (told[-1].func_name, told[-1].span_id) == ("send_email", SPAN.span_id)


def test_of_tasks_that_ended_only_the_last_few_are_remembered() -> None:
    tasks = KnownTasks(NOWHERE)
    for number in range(3 * MAX_FINISHED):
        tasks.add(str(number), KnownTask("send_email"))
        tasks.finish(str(number))
    assert len(tasks) == MAX_FINISHED


def test_a_task_that_the_store_was_asked_about_is_not_asked_about_again() -> None:
    asked: list[str] = []

    def resolve(task_id: str) -> TaskRow | None:
        asked.append(task_id)
        return ROW

    Translator(NOWHERE._replace(task=resolve)).translate(enumerate([logged(seq=seq) for seq in range(100)]))
    assert asked == [TASK]


@pytest.mark.parametrize("status", [TaskStatus.SUCCESS, TaskStatus.FAILED, TaskStatus.CANCELLED])
def test_each_way_to_end_is_told(status: TaskStatus) -> None:
    assert states(enqueued(), started(), ended(status))[-1] == (status.name, 0, 0)


def test_events_are_told_in_order() -> None:
    told = translate(enqueued(), started(), logged("a"), logged("b"), ended(TaskStatus.SUCCESS))
    assert [event.message if isinstance(event, LogEvent) else event.status.name for event in told] == [
        "RUNNING",
        "a",
        "b",
        "SUCCESS",
    ]
