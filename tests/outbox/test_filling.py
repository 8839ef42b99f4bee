"""What of a journal's events gets into the spool, and as what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_taskflow.consumers import outbox_facts
from otel_taskflow.consumers.lookup import NOWHERE
from otel_taskflow.errors import SpoolError
from otel_taskflow.model import AttemptOutcome, AttemptRow, TaskRow, TaskStatus
from otel_taskflow.ports import JournalHeader
from tests.outbox.stage import (
    CARRIER,
    RUN,
    SECOND,
    SENT,
    T0,
    WHOLE,
    Make,
    attributes_of,
    ended,
    enqueued,
    logged,
    piece,
    started,
)


def test_a_tasks_spans_lines_and_events_are_in_the_spool(stage: Make) -> None:
    made = stage()
    made.outbox.consume(piece(*WHOLE))
    send, process = made.spans()
    assert (send.name, send.kind, send.span_id.hex()) == ("send send", Span.SPAN_KIND_PRODUCER, "a" * 16)
    assert (process.name, process.kind, process.span_id.hex()) == ("process send", Span.SPAN_KIND_CONSUMER, "b" * 16)
    assert attributes_of(process)["code.function.name"] == "shop.send"
    assert [attributes_of(event).get("order_id") for event in process.events] == ["A1", None]
    assert [record.event_name for record in made.logs()] == ["otel_taskflow.attempt.started", "", ""]
    assert made.lines() == ["line 1", "line 2"]
    assert {record.span_id.hex() for record in made.logs()} == {"b" * 16}
    assert set(made.resources()) == set(made.resources(signal="logs")) == {"shop"}
    assert made.outbox.seen_of("default-1") == 5


def test_an_attempt_over_many_slices_has_one_span_with_its_first_and_last_lines(stage: Make) -> None:
    made = stage()
    made.outbox.consume(piece(enqueued(), started()))
    for number in range(1, 301):
        made.outbox.consume(piece(logged(number), first=2 + number))
    made.outbox.consume(piece(ended(lines=300), first=303))
    assert made.events() == [f"line {number}" for number in (*range(1, 65), *range(237, 301))]
    assert len(made.lines()) == 300
    process = made.spans()[1]
    assert attributes_of(process)["otel_taskflow.log.omitted"] == 300 - 128


def test_a_slice_that_the_spool_could_not_take_counts_once(stage: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    made = stage()
    write = made.spool.write
    monkeypatch.setattr(made.spool, "write", _failing(2, write))
    both = piece(enqueued(), started(), logged(1)), piece(logged(2), ended(), first=4)
    for each in both:
        for _ in range(3):
            try:
                made.outbox.consume(each)
                break
            except SpoolError:
                continue
    assert made.events() == ["line 1", "line 2"]
    assert made.lines() == ["line 1", "line 2"]


def _failing(times: int, write: Callable[..., None]) -> Callable[..., None]:
    left = [times]

    def fail_first(*args: Any) -> None:
        if left[0]:
            left[0] -= 1
            raise SpoolError("the disk is full")
        write(*args)

    return fail_first


def test_a_slice_that_comes_again_changes_nothing(stage: Make) -> None:
    made = stage()
    made.outbox.consume(piece(*WHOLE))
    stage().outbox.consume(piece(*WHOLE, live=False))
    assert (len(made.spans()), len(made.logs())) == (2, 3)


def test_another_process_ends_the_span_of_a_dead_one_with_its_ids_lines_and_resource(stage: Make) -> None:
    dead, heir = stage(), stage()
    dead.outbox.consume(piece(enqueued(), started(), logged(1), logged(2)))
    header = JournalHeader("default-2", T0, 2, "host", "boot", "host:2", resource={"service.name": "heir"})
    heir.tasks["t"] = TaskRow("t", "send", TaskStatus.RUNNING, T0, span=SENT, carrier=CARRIER, owner="default-2")
    heir.outbox.consume(piece(logged(3), first=5, live=False))
    heir.outbox.consume(piece(ended(AttemptOutcome.INTERRUPTED, lines=3), header=header))
    assert heir.events() == ["line 1", "line 2", "line 3"]
    process = heir.spans()[1]
    assert (process.span_id.hex(), process.parent_span_id.hex()) == ("b" * 16, "a" * 16)
    assert (process.start_time_unix_nano, process.end_time_unix_nano) == (T0 + SECOND, T0 + SECOND + 3)
    assert process.status.code == 2
    assert set(heir.resources()) == set(heir.resources(signal="logs")) == {"shop"}
    assert heir.spool.open_attempt("t/0") is None


def test_of_an_attempt_that_began_before_anybody_exported_the_span_is_made_of_its_row(stage: Make) -> None:
    made = stage()
    made.tasks["t"] = TaskRow("t", "send", TaskStatus.RUNNING, T0, span=SENT, carrier=CARRIER)
    made.attempts["t", 0] = AttemptRow("t", 0, T0 + SECOND, RUN, "host:1")
    made.outbox.consume(piece(logged(7), ended(lines=7)))
    assert made.events() == ["line 7"]
    assert attributes_of(made.spans()[0])["otel_taskflow.log.omitted"] == 6


def test_what_was_not_sampled_has_log_records_and_no_spans(stage: Make) -> None:
    made = stage()
    off = {"span": SENT._replace(trace_flags=0)}
    made.outbox.consume(piece(enqueued(**off), started(span=RUN._replace(trace_flags=0)), logged(1), ended()))
    assert made.spans() == []
    assert made.lines() == ["line 1"]


def test_where_the_apps_provider_owns_the_spans_only_log_records_are_sent(stage: Make) -> None:
    made = stage(exports_spans=False)
    made.outbox.consume(piece(*WHOLE))
    assert made.spans() == []
    assert made.lines() == ["line 1", "line 2"]


def test_lines_that_a_handler_of_opentelemetry_exports_are_events_of_the_span_only(stage: Make) -> None:
    made = stage()
    made.bridged.add("old.code")
    made.outbox.consume(piece(enqueued(), started(), logged(1, logger="old.code"), ended()))
    assert made.lines() == []
    assert made.events() == ["line 1"]


def test_a_late_line_belongs_to_its_attempts_span(stage: Make) -> None:
    made = stage()
    made.attempts["t", 0] = AttemptRow("t", 0, T0 + SECOND, RUN, "host:1", outcome=AttemptOutcome.SUCCEEDED)
    made.outbox.consume(piece(*WHOLE, logged(3, late=True)))
    late = made.logs()[-1]
    assert (late.body.string_value, late.span_id.hex()) == ("line 3", "b" * 16)
    assert attributes_of(late)["otel_taskflow.log.late"] is True


def test_a_late_line_belongs_to_its_attempts_span_before_the_store_knows_that_too(stage: Make) -> None:
    made = stage()
    second = RUN._replace(span_id="c" * 16)
    retried = [enqueued(), started(), ended(AttemptOutcome.RETRYING), started(attempt=1, span=second)]
    made.outbox.consume(piece(*retried, logged(1, late=True)))
    made.outbox.consume(piece(ended()._replace(attempt=1), logged(2, late=True), first=6))
    made.outbox.consume(piece(logged(3, late=True)._replace(attempt=1), first=8))
    late = [(each.body.string_value, each.span_id.hex()) for each in made.logs() if not each.event_name]
    assert late == [("line 1", "b" * 16), ("line 2", "b" * 16), ("line 3", "c" * 16)]


def test_spans_of_attempts_are_forgotten_with_their_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_facts, "MAX_FINISHED", 2)
    facts = outbox_facts.TaskFacts(NOWHERE)
    for number in range(5):
        facts.enqueued(enqueued(str(number)))
        facts.started(started(str(number)))
        facts.finish(str(number))
    assert [facts.span_of(str(number), 0) for number in range(5)] == [None, None, None, RUN, RUN]
