"""What of it goes to which destination."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from otel_taskflow.consumers.outbox_routes import RateLimit
from otel_taskflow.export import FinishedAttempt
from otel_taskflow.model import AttemptOutcome, SpanIdentity
from otel_taskflow.telemetry.otlp.values import LogData, SpanData
from tests.outbox.stage import (
    HEADER,
    SECOND,
    T0,
    WHOLE,
    Make,
    attributes_of,
    destination,
    ended,
    enqueued,
    logged,
    piece,
    started,
)


def test_levels_below_the_minimum_are_left_out_of_both_signals(stage: Make) -> None:
    made = stage(destination(min_level="warning"))
    made.outbox.consume(piece(*WHOLE))
    assert made.lines() == ["line 2"]
    assert made.events() == ["line 2"]
    assert made.spool.dropped() == {}


@pytest.mark.parametrize(("task_logs", "in_logs", "in_span"), [("both", 2, 2), ("logs", 2, 0), ("events", 0, 2)])
def test_lines_go_out_as_records_as_events_or_as_both(stage: Make, task_logs: str, in_logs: int, in_span: int) -> None:
    made = stage(destination(task_logs=task_logs))
    made.outbox.consume(piece(*WHOLE))
    assert (len(made.lines()), len(made.events())) == (in_logs, in_span)


def test_each_destination_gets_its_own(stage: Make) -> None:
    made = stage(destination("tempo", ("traces",)), destination("loki", ("logs",), min_level="error"))
    made.outbox.consume(piece(*WHOLE))
    assert (len(made.spans("tempo")), len(made.logs("tempo"))) == (2, 0)
    assert (len(made.spans("loki")), made.lines("loki")) == (0, ["line 2"])
    assert made.events("tempo") == ["line 1", "line 2"]


@pytest.mark.parametrize(
    ("outcome", "seconds", "is_told"),
    [
        (AttemptOutcome.SUCCEEDED, 1.0, False),
        (AttemptOutcome.SUCCEEDED, 6.0, True),
        (AttemptOutcome.FAILED, 1.0, True),
        (AttemptOutcome.RETRYING, 1.0, True),
        (AttemptOutcome.TIMED_OUT, 1.0, True),
        (AttemptOutcome.INTERRUPTED, 1.0, True),
        (AttemptOutcome.CANCELLED, 1.0, False),
    ],
)
@pytest.mark.parametrize("slices", [1, 5])
def test_only_attempts_with_a_problem_are_told_in_detail_if_so_asked(
    stage: Make, outcome: AttemptOutcome, seconds: float, is_told: bool, slices: int
) -> None:
    made = stage(destination(detail="on_problem", slow=5.0))
    events = (*WHOLE[:4], ended(outcome, seconds=seconds))
    if slices == 1:
        made.outbox.consume(piece(*events))
    else:
        for number, event in enumerate(events, 1):
            made.outbox.consume(piece(event, first=number))
    assert made.lines() == (["line 1", "line 2"] if is_told else [])
    assert made.events() == (["line 1", "line 2"] if is_told else [])
    assert attributes_of(made.spans()[1])["otel_taskflow.log.omitted"] == (0 if is_told else 2)
    assert made.spool.dropped() == {}


def test_lines_wait_in_the_spool_for_the_end_of_their_attempt(stage: Make) -> None:
    made = stage(destination(detail="on_problem"))
    made.outbox.consume(piece(*WHOLE[:4]))
    assert made.logs() == []
    heir = stage(destination(detail="on_problem"))
    header = HEADER._replace(journal_id="default-2")
    heir.outbox.consume(piece(ended(AttemptOutcome.INTERRUPTED), header=header))
    assert heir.lines() == ["line 1", "line 2"]


def test_lines_that_waited_go_out_when_the_next_process_would_not_hold_them(stage: Make) -> None:
    made = stage(destination(detail="on_problem"), destination("all"))
    made.outbox.consume(piece(*WHOLE[:4]))
    heir = stage(destination(detail="always"), destination("all"))
    header = HEADER._replace(journal_id="default-2")
    heir.outbox.consume(piece(ended(AttemptOutcome.INTERRUPTED), header=header))
    assert heir.lines() == heir.lines("all") == ["line 1", "line 2"]


def test_a_function_decides_by_the_finished_attempt(stage: Make) -> None:
    asked: list[FinishedAttempt] = []

    def detail(attempt: FinishedAttempt) -> bool:
        asked.append(attempt)
        return attempt.tags["shop"] == "south"

    made = stage(destination(detail=detail))
    made.outbox.consume(piece(*WHOLE))
    assert made.lines() == []
    assert asked == [FinishedAttempt("t", "send", 0, "succeeded", 1.0, None, {"shop": "north"}, 2)]


def test_what_a_failing_function_was_asked_about_is_told(stage: Make, caplog: pytest.LogCaptureFixture) -> None:
    made = stage(destination(detail=lambda attempt: 1 / 0))
    made.outbox.consume(piece(*WHOLE))
    assert made.lines() == ["line 1", "line 2"]
    assert "detail= of otlp failed" in caplog.text


def test_lines_beyond_the_rate_are_dropped_and_counted(stage: Make) -> None:
    made = stage(destination(max_lines_per_second=3.0))
    made.outbox.consume(piece(enqueued(), started(), *(logged(number) for number in range(1, 11)), ended()))
    assert made.lines() == ["line 1", "line 2", "line 3"]
    assert made.spool.dropped() == {("otlp", "logs", "rate_limit"): 7}
    assert made.events() == ["line 1", "line 2", "line 3"]


@pytest.mark.parametrize("to", [{"task_logs": "events"}, {"signals": ("traces",)}])
def test_lines_beyond_the_rate_are_dropped_and_counted_where_they_are_events_only(
    stage: Make, to: dict[str, Any]
) -> None:
    made = stage(destination(max_lines_per_second=3.0, **to), destination("all", ("traces",)))
    lines = [logged(number) for number in range(1, 11)]
    made.outbox.consume(piece(enqueued(), started(), *lines, ended(lines=10)))
    assert made.events() == ["line 1", "line 2", "line 3"]
    (process,) = [each for each in made.spans() if each.name.startswith("process")]
    assert attributes_of(process)["otel_taskflow.log.omitted"] == 7
    assert made.spool.dropped() == {("otlp", "traces", "rate_limit"): 7}
    assert len(made.events("all")) == 10


def test_a_destination_whose_rate_left_no_line_gets_none_that_were_kept_for_another(stage: Make) -> None:
    routes = (destination(max_lines_per_second=0.001), destination("all"))
    made, heir = stage(*routes), stage(*routes)
    before = [enqueued("before"), started("before"), logged(1, task_id="before"), ended(task_id="before", lines=1)]
    made.outbox.consume(piece(*before, *WHOLE))
    made.outbox.consume(piece(enqueued("u"), started("u"), logged(1, task_id="u"), first=10))
    header = HEADER._replace(journal_id="default-2")
    heir.outbox.consume(piece(ended(AttemptOutcome.INTERRUPTED, task_id="u", lines=1), header=header))

    def events(name: str) -> list[int]:
        spans = [span for span in made.spans(name) if span.name.startswith("process")]
        return [sum(event.name == "task.log" for event in span.events) for span in spans]

    assert events("otlp") == [1, 0, 0]
    assert events("all") == [1, 2, 1]


def test_a_rate_goes_on_after_the_clock_was_set_back() -> None:
    rate = RateLimit(2.0)
    assert [rate.takes(3600 * SECOND) for _ in range(3)] == [True, True, False]
    assert [rate.takes(SECOND + number * SECOND // 2) for number in range(8)] == [False, *[True] * 7]


def test_a_line_of_the_minimum_level_is_an_event_however_many_lines_are_around_it(stage: Make) -> None:
    made, heir = (stage(destination(min_level="error"), destination("all", ("traces",))) for _ in range(2))
    lines = [logged(number, "error" if number == 100 else "debug") for number in range(1, 202)]
    made.outbox.consume(piece(enqueued(), started(), *lines))
    header = HEADER._replace(journal_id="default-2")
    heir.outbox.consume(piece(ended(AttemptOutcome.INTERRUPTED, lines=201), header=header))
    assert heir.events() == ["line 100"]
    assert len(heir.events("all")) == 128
    assert "line 100" not in heir.events("all")


def test_a_rate_is_over_time() -> None:
    rate = RateLimit(2.0)
    assert [rate.takes(T0 + number * SECOND // 4) for number in range(9)] == [
        True,
        True,
        True,
        False,
        True,
        False,
        True,
        False,
        True,
    ]


def test_a_hook_changes_or_drops_what_is_exported(stage: Make) -> None:
    def hook(data: SpanData | LogData) -> SpanData | LogData | None:
        if isinstance(data, LogData):
            return None if data.body == "line 1" else dataclasses.replace(data, body=data.body.upper())
        return dataclasses.replace(data, attributes={"only": "this"})

    made = stage(destination(before_export=hook))
    made.outbox.consume(piece(*WHOLE))
    assert made.lines() == ["LINE 2"]
    assert [attributes_of(span) for span in made.spans()] == [{"only": "this"}] * 2
    assert made.spool.dropped() == {("otlp", "logs", "before_export"): 1}


def test_where_a_hook_fails_nothing_goes_out(stage: Make, caplog: pytest.LogCaptureFixture) -> None:
    made = stage(destination("a", before_export=lambda data: 1 / 0), destination("b"))
    made.outbox.consume(piece(*WHOLE))
    assert (made.spans("a"), made.logs("a")) == ([], [])
    assert made.spool.dropped() == {
        ("a", "logs", "before_export_failed"): 3,
        ("a", "traces", "before_export_failed"): 2,
    }
    assert (len(made.spans("b")), len(made.logs("b"))) == (2, 3)
    assert caplog.text.count("before_export= of a failed") == 1


def test_an_event_that_cannot_be_exported_holds_up_no_other(stage: Make) -> None:
    made = stage()
    broken = started("broken", span=SpanIdentity("not hexadecimal", "b" * 16, None, 1))
    made.outbox.consume(piece(enqueued("broken", None), broken, *WHOLE))
    assert made.lines() == ["line 1", "line 2"]
    assert made.spool.dropped() == {("otlp", "logs", "unencodable"): 1}


def test_a_span_whose_additions_cannot_be_encoded_goes_out_without_them(stage: Make) -> None:
    seen: list[SpanData | LogData] = []

    def hook(data: SpanData | LogData) -> SpanData | LogData:
        seen.append(data)
        return data

    made = stage(destination("hooked", before_export=hook), destination())
    wrong = {"attributes": {"mine": 1}, "events": [["no time", 1.5, {}]]}
    made.outbox.consume(piece(*WHOLE[:-1], WHOLE[-1]._replace(span=wrong)))
    for name in ("otlp", "hooked"):
        (span,) = [each for each in made.spans(name) if each.name == "process send"]
        assert (attributes_of(span)["otel_taskflow.attempt.outcome"], len(span.events)) == ("succeeded", 2)
    assert [each.name for each in seen if isinstance(each, SpanData)] == ["send send", "process send"]
    assert made.spool.dropped() == {}


def test_a_span_that_cannot_be_exported_is_counted_as_one_and_its_attempt_closed(stage: Make) -> None:
    made = stage(destination(), destination("lines", ("logs",)))
    made.outbox.consume(piece(*WHOLE[:2]))
    assert made.spool.open_attempt("t/0") is not None
    heir = stage(destination(), destination("lines", ("logs",)))
    late = ended()._replace(time=-1)
    heir.outbox.consume(piece(late, first=3))
    assert made.spool.dropped()["otlp", "traces", "unencodable"] == 1
    assert ("lines", "traces", "unencodable") not in made.spool.dropped()
    assert made.spool.open_attempt("t/0") is None
