"""Several processes on one spool: one of them sends, and another goes on when it dies."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from otel_taskflow.testing.otlp_receiver import OTLPReceiver
from tests.durable.conftest import Run

PATIENCE = 30.0
TASKS = 200


def quick(receiver: OTLPReceiver) -> Counter[str]:
    return Counter(body for body in receiver.log_bodies if body.startswith("quick"))


@pytest.mark.failure("E13")
def test_two_processes_deliver_everything_once(run: Run, receiver: OTLPReceiver) -> None:
    both = run(), run()
    for process in both:
        process.do("many", TASKS)
    for process in both:
        assert process.do("drain")
        assert process.do("flush", PATIENCE)
    assert quick(receiver) == {f"quick {number}": 2 for number in range(TASKS)}
    assert len(receiver.span_ids) == len(set(receiver.span_ids)) == 2 * 2 * TASKS


def test_another_process_goes_on_sending_when_the_sender_is_killed(run: Run, receiver: OTLPReceiver) -> None:
    sender = run()
    sender.do("start")
    sender.do("many", 1)
    assert receiver.wait_for(quick, PATIENCE)
    other = run()
    other.do("start")
    receiver.stop()
    other.do("many", TASKS)
    assert other.do("drain")
    sender.kill()
    receiver.start()
    assert receiver.wait_for(lambda each: len(quick(each)) == TASKS, PATIENCE)
    assert other.do("flush", PATIENCE)
    assert len(receiver.span_ids) == len(set(receiver.span_ids))


@pytest.mark.failure("C15")
def test_a_forked_child_exports_what_it_does_itself(run: Run, receiver: OTLPReceiver, tmp_path: Path) -> None:
    process = run()
    process.do("add", "quick", 1)
    assert process.do("drain")
    assert process.do("fork", 2) == 0
    process.do("add", "quick", 3)
    assert process.do("drain")
    assert process.do("flush", PATIENCE)
    assert receiver.wait_for(lambda each: len(quick(each)) == 3, PATIENCE)
    assert quick(receiver) == {"quick 1": 1, "quick 2": 1, "quick 3": 1}
    assert len(receiver.span_ids) == len(set(receiver.span_ids)) == 6


def test_a_spool_that_was_damaged_while_nobody_ran_is_put_aside(
    run: Run, receiver: OTLPReceiver, tmp_path: Path
) -> None:
    receiver.stop()
    process = run()
    process.do("many", 10)
    assert process.do("drain")
    process.do("stop")
    process.close()
    (tmp_path / "spool" / "spool.db").write_bytes(b"nothing of SQLite's" * 1000)
    receiver.start()
    heir = run()
    heir.do("many", 1)
    assert heir.do("drain")
    assert heir.do("flush", PATIENCE)
    assert quick(receiver) == {"quick 0": 1}
    assert list((tmp_path / "spool").glob("spool.db.corrupt-*"))
