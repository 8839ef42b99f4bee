"""``flush`` and ``stop`` are honest and keep to their deadlines."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace
from typing import Any

import pytest
from opentelemetry import context as otel_context
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY

from otel_taskflow.export import courier
from otel_taskflow.export.batches import BatchLimits
from otel_taskflow.export.courier import Tuning
from otel_taskflow.export.pacing import Pacing
from otel_taskflow.export.sender import Sender
from otel_taskflow.spool import Limits, Spool
from otel_taskflow.testing.otlp_receiver import OTLPReceiver, Reply
from tests.export.conftest import QUICK, StartSender, destination
from tests.export.records import NAME, logs, number_of, spans

SLOW = Tuning(Pacing(first=20, longest=60))


def test_records_wait_for_others_so_long_and_no_longer(
    spool: Spool, receiver: OTLPReceiver, start_sender: StartSender
) -> None:
    start_sender(replace(destination(receiver.url), schedule_delay=0.5))
    time.sleep(0.1)
    begin = time.monotonic()
    for number in range(5):
        spool.add(spans([number]))
        time.sleep(0.02)
    assert receiver.wait_for(lambda it: it.requests)
    assert 0.45 <= time.monotonic() - begin <= 1.5
    assert len(receiver.spans) == 5


def test_a_full_batch_does_not_wait(spool: Spool, receiver: OTLPReceiver, start_sender: StartSender) -> None:
    start_sender(replace(destination(receiver.url), schedule_delay=60), Tuning(QUICK.pacing, BatchLimits(messages=10)))
    spool.add(spans(range(25)))
    assert receiver.wait_for(lambda it: len(it.spans) == 20, 5)
    time.sleep(0.3)
    assert len(receiver.spans) == 20
    spool.add(spans(range(25, 30)))
    assert receiver.wait_for(lambda it: len(it.spans) == 30, 5)


def test_a_flush_does_not_wait_for_a_batch_to_fill(
    spool: Spool, receiver: OTLPReceiver, start_sender: StartSender
) -> None:
    sender = start_sender(replace(destination(receiver.url), schedule_delay=60))
    spool.add(spans(range(3)) + logs(range(3)))
    begin = time.monotonic()
    assert sender.flush(5)
    assert time.monotonic() - begin < 1
    assert (len(receiver.spans), len(receiver.log_records)) == (3, 3)


def test_a_flush_of_nothing_is_done_at_once(start_sender: StartSender) -> None:
    begin = time.monotonic()
    assert start_sender().flush(5)
    assert time.monotonic() - begin < 0.5


def test_a_flush_waits_for_what_was_there_and_not_for_what_keeps_coming(
    spool: Spool, receiver: OTLPReceiver, start_sender: StartSender
) -> None:
    over = threading.Event()

    def write() -> None:
        number = 1000
        while not over.wait(0.001):
            spool.add(spans([number]))
            number += 1

    sender = start_sender()
    spool.add(spans(range(100)))
    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert sender.flush(5)
        assert set(range(100)) <= {number_of(span) for span in receiver.spans}
    finally:
        over.set()
        writer.join()


def test_a_flush_that_begins_while_a_batch_is_written_down_waits_for_all_that_is_behind_it(
    spool: Spool, receiver: OTLPReceiver, start_sender: StartSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, is_deleted, go_on = spool.done, threading.Event(), threading.Event()

    def done_and_not_counted_yet(*given: Any, **named: Any) -> None:
        done(*given, **named)
        is_deleted.set()
        go_on.wait(5)

    monkeypatch.setattr(spool, "done", done_and_not_counted_yet)
    receiver.reply(Reply(), Reply(), Reply(503))
    sender = start_sender(tuning=Tuning(QUICK.pacing, BatchLimits(messages=10)))
    spool.add(spans(range(25)))
    assert is_deleted.wait(5)
    threading.Timer(0.2, go_on.set).start()
    assert sender.flush(5)
    assert len(receiver.spans) == 25
    assert spool.backlog(NAME, "traces").messages == 0


@pytest.mark.failure("E14")
def test_a_flush_says_false_at_its_deadline_when_anything_is_undelivered(
    spool: Spool, receiver: OTLPReceiver, start_sender: StartSender
) -> None:
    receiver.default = Reply(delay=2)
    spool.add(spans(range(3)))
    sender = start_sender()
    begin = time.monotonic()
    assert not sender.flush(0.3)
    assert time.monotonic() - begin < 0.6


def test_a_flush_tries_at_once_what_has_failed(spool: Spool, receiver: OTLPReceiver, start_sender: StartSender) -> None:
    receiver.reply(Reply(503))
    spool.add(spans(range(3)))
    sender = start_sender(tuning=SLOW)
    assert receiver.wait_for(lambda it: it.requests)
    begin = time.monotonic()
    assert sender.flush(10)
    assert time.monotonic() - begin < 1


def test_stop_sends_what_waits(spool: Spool, receiver: OTLPReceiver, start_sender: StartSender) -> None:
    sender = start_sender(replace(destination(receiver.url), schedule_delay=60))
    spool.add(spans(range(3)))
    assert sender.stop(5)
    assert sender.stop(5), "it may be called again"
    assert len(receiver.spans) == 3


def test_stop_does_not_wait_for_a_destination_that_fails(
    spool: Spool, receiver: OTLPReceiver, start_sender: StartSender, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.stop()
    spool.add(spans(range(3)))
    sender = start_sender(destination(receiver.url))
    begin = time.monotonic()
    with caplog.at_level(logging.WARNING, "otel_taskflow"):
        assert not sender.stop(5)
    assert time.monotonic() - begin < 1
    assert "what waits is sent at the next start" in caplog.text
    assert spool.backlog(NAME, "traces").messages == 3


def test_stop_keeps_to_its_deadline_and_an_answer_that_comes_later_still_counts(
    spool: Spool, receiver: OTLPReceiver, start_sender: StartSender
) -> None:
    receiver.default = Reply(delay=0.8)
    spool.add(spans(range(3)))
    sender = start_sender()
    begin = time.monotonic()
    assert not sender.stop(0.3)
    assert time.monotonic() - begin < 0.6
    wait_until(lambda: spool.backlog(NAME, "traces").messages == 0)
    assert spool.delivered(NAME, "traces").delivered == 3


def test_what_a_stop_left_is_sent_by_the_next_start(
    spool: Spool, receiver: OTLPReceiver, start_sender: StartSender
) -> None:
    receiver.default = Reply(503)
    spool.add(spans(range(3)))
    assert not start_sender().stop(0.5)
    receiver.default = Reply()
    assert start_sender().flush(5)
    assert len(receiver.spans) == 3


def test_after_a_stop_a_flush_says_what_is_so_at_once(
    spool: Spool, receiver: OTLPReceiver, start_sender: StartSender
) -> None:
    sender = start_sender()
    sender.stop(1)
    assert sender.flush(5)
    spool.add(spans([1]))
    begin = time.monotonic()
    assert not sender.flush(5)
    assert time.monotonic() - begin < 0.5


def test_no_thread_is_left_behind(start_sender: StartSender) -> None:
    sender = start_sender()
    assert {"otel_taskflow-otlp-traces", "otel_taskflow-otlp-logs"} <= {thread.name for thread in threading.enumerate()}
    sender.stop(5)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("otel_taskflow-otlp")]


def test_a_change_is_said_once_in_the_log(
    spool: Spool, receiver: OTLPReceiver, start_sender: StartSender, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.default = Reply(503, body="key=s3cret")
    spool.add(spans(range(3)))
    with caplog.at_level(logging.INFO, "otel_taskflow"):
        to = destination(receiver.url, headers={"key": "s3cret"})
        sender = start_sender(to)
        assert receiver.wait_for(lambda it: len(it.requests) > 5)
        receiver.default = Reply()
        assert sender.flush(5)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert said[0].startswith("otel_taskflow: traces cannot be sent to otlp: http://127.0.0.1")
    assert "503 Service Unavailable: key=***" in said[0]
    assert said[1] == "otel_taskflow: traces go to otlp again"


class BrokenSpool(Spool):
    """Fails as often as told: at taking, or at noting what was delivered."""

    failing_takes = 0
    failing_dones = 0

    def take(self, *args: object, **kwargs: object) -> object:  # type: ignore[override]
        if self.failing_takes:
            self.failing_takes -= 1
            raise OSError("disk I/O error")
        return super().take(*args, **kwargs)  # type: ignore[arg-type]

    def done(self, *args: object, **kwargs: object) -> None:  # type: ignore[override]
        if self.failing_dones:
            self.failing_dones -= 1
            raise OSError("database or disk is full")
        super().done(*args, **kwargs)  # type: ignore[arg-type]


@pytest.mark.parametrize("failing", ["failing_takes", "failing_dones"])
def test_a_spool_that_fails_for_a_while_costs_nothing_and_nothing_is_sent_twice(
    failing: str, receiver: OTLPReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    spool = BrokenSpool(None, {})
    spool.open()
    setattr(spool, failing, 3)
    spool.add(spans(range(3)))
    sender = Sender(destination(receiver.url, signals=("traces",)), spool, None, QUICK)
    sender.start()
    assert sender.flush(5)
    sender.stop(1)
    spool.close()
    assert [number_of(span) for span in receiver.spans] == [0, 1, 2]
    assert caplog.text.count("Traceback") == 1


def test_a_spool_whose_figures_cannot_be_read_makes_the_health_degraded() -> None:
    never_opened = Spool(None, {})
    health = Sender(destination("http://127.0.0.1:9"), never_opened, None).health()
    assert health.state == "degraded"
    assert "its figures cannot be read" in health.why


def test_what_is_too_old_is_dropped_and_counted_although_the_destination_is_away(
    receiver: OTLPReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "EXPIRY", 0.05)
    receiver.stop()
    spool = Spool(None, {NAME: Limits(max_age=1.0)})
    spool.open()
    spool.add(spans(range(4)))
    sender = Sender(destination(receiver.url), spool, None, Tuning(QUICK.pacing, BatchLimits(messages=1)))
    sender.start()
    wait_until(lambda: spool.dropped() == {(NAME, "traces", "age_limit"): 4})
    receiver.start()
    spool.add(spans([4]))
    assert sender.flush(5)
    sender.stop(1)
    assert [number_of(span) for span in receiver.spans] == [0, 4], "what was on its way is delivered, and no loss"
    assert spool.dropped() == {(NAME, "traces", "age_limit"): 3}
    spool.close()


def test_our_requests_make_no_spans_of_their_own(receiver: OTLPReceiver) -> None:
    seen: list[object] = []

    class Looking(Spool):
        def take(self, *args: object, **kwargs: object) -> object:  # type: ignore[override]
            seen.append(otel_context.get_value(_SUPPRESS_INSTRUMENTATION_KEY))
            return super().take(*args, **kwargs)  # type: ignore[arg-type]

    spool = Looking(None, {})
    spool.open()
    spool.add(spans(range(3)))
    sender = Sender(destination(receiver.url), spool, None, QUICK)
    sender.start()
    assert sender.flush(5)
    sender.stop(1)
    spool.close()
    assert set(seen) == {True}


def wait_until(condition: object, timeout: float = 5.0) -> None:
    end = time.monotonic() + timeout
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.01)
