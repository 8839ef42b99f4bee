"""Spans of processes that died arrive with their own ids, and arrive once or byte for byte the same again."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from otel_taskflow.testing.otlp_receiver import OTLPReceiver
from tests.durable.conftest import Run

PATIENCE = 30.0


def attributes(message: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in message.attributes}


def processed(receiver: OTLPReceiver, task: str) -> list[Any]:
    return [span for span in receiver.spans if span.name == f"process {task}"]


@pytest.mark.failure("C3")
def test_the_span_of_a_killed_attempt_arrives_with_its_ids_parent_lines_and_error(
    run: Run, receiver: OTLPReceiver
) -> None:
    process = run()
    process.begin("add", "begin")
    trace_id, span_id, _ = process.says("running").split()
    process.kill()
    heir = run()
    heir.do("start")
    assert receiver.wait_for(lambda each: processed(each, "begin"), PATIENCE)
    assert heir.do("flush")
    (span,) = processed(receiver, "begin")
    (sent,) = [each for each in receiver.spans if each.name == "send begin"]
    assert (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id) == (trace_id, span_id, sent.span_id)
    assert span.status.code == span.status.STATUS_CODE_ERROR
    assert attributes(span)["otel_taskflow.attempt.outcome"] == "interrupted"
    assert [attributes(event)["order_id"] for event in span.events] == ["A1"]
    assert span.events[0].time_unix_nano == span.end_time_unix_nano
    lines = [record for record in receiver.log_records if record.body.string_value == "begun"]
    assert [(line.trace_id.hex(), line.span_id.hex()) for line in lines] == [(trace_id, span_id)]


@pytest.mark.failure("C4")
def test_a_task_that_opted_in_runs_again_in_the_same_trace_with_a_link(run: Run, receiver: OTLPReceiver) -> None:
    process = run()
    process.begin("add", "begin_again")
    trace_id, span_id, _ = process.says("running").split()
    process.kill()
    heir = run()
    heir.do("start")
    assert receiver.wait_for(lambda each: len(processed(each, "begin_again")) == 2, PATIENCE)
    first, second = sorted(processed(receiver, "begin_again"), key=lambda span: span.start_time_unix_nano)
    assert (first.trace_id.hex(), first.span_id.hex()) == (trace_id, span_id)
    assert second.trace_id == first.trace_id
    assert first.span_id in [link.span_id for link in second.links]
    assert attributes(second)["otel_taskflow.attempt.number"] == 2
    assert second.status.code == second.status.STATUS_CODE_UNSET


@pytest.mark.failure("C5")
@pytest.mark.parametrize("signal_path", ["/v1/traces", "/v1/logs"])
def test_what_was_delivered_when_the_process_died_comes_again_byte_for_byte(
    run: Run, receiver: OTLPReceiver, signal_path: str
) -> None:
    process = run()
    take, killed = receiver.take, []

    def take_and_kill(path: str, headers: Any, body: bytes) -> Any:
        reply = take(path, headers, body)
        if path == signal_path and not killed:
            killed.append(path)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.process.pid, signal.SIGKILL)
        return reply

    receiver.take = take_and_kill  # type: ignore[method-assign]
    process.begin("add", "fail")
    assert receiver.wait_for(lambda _: killed, PATIENCE)
    process.ends()
    heir = run()
    heir.do("start")
    assert receiver.wait_for(lambda each: processed(each, "fail") and each.log_bodies.count("trying") >= 1, PATIENCE)
    assert heir.do("flush")
    for messages in (receiver.spans, receiver.log_records):
        by_id: dict[Any, set[bytes]] = {}
        for message in messages:
            name = getattr(message, "span_id", b"") + attributes(message).get("log.record.uid", "").encode()
            by_id.setdefault(name, set()).add(message.SerializeToString(deterministic=True))
        assert all(len(versions) == 1 for versions in by_id.values())
    copies = [span.span_id for span in receiver.spans]
    assert all(copies.count(span_id) <= 2 for span_id in copies)


def test_every_attempt_of_a_task_that_went_through_two_processes_is_in_one_trace(
    run: Run, receiver: OTLPReceiver, tmp_path: Path
) -> None:
    process = run()
    process.do("add", "fail_once")
    assert process.do("drain")
    process.kill()
    heir = run()
    heir.do("start")
    assert receiver.wait_for(lambda each: len(processed(each, "fail_once")) == 2, PATIENCE)
    assert len({span.trace_id for span in receiver.spans}) == 1
