"""Whatever a receiver answers: what was sent minus what arrived is what was counted as dropped."""

from __future__ import annotations

import logging
import time
from collections import Counter
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path

import pytest

from otel_taskflow.export.batches import BatchLimits
from otel_taskflow.export.courier import Tuning
from otel_taskflow.export.pacing import Pacing
from otel_taskflow.export.sender import Sender
from otel_taskflow.spool import Limits, Spool
from otel_taskflow.testing.otlp_receiver import OTLPReceiver, Reply
from tests.export.conftest import QUICK, StartSender, destination
from tests.export.records import NAME, logs, number_of, spans

SENT = 500


def arrived(receiver: OTLPReceiver) -> Counter[int]:
    return Counter(number_of(span) for span in receiver.spans)


def dropped(spool: Spool) -> dict[str, int]:
    return {reason: number for (_, _, reason), number in spool.dropped().items()}


def assert_all_arrived_once(receiver: OTLPReceiver, numbers: range = range(SENT)) -> None:
    assert arrived(receiver) == Counter(numbers)


def assert_nothing_is_unaccounted(receiver: OTLPReceiver, spool: Spool, sent: int = SENT) -> None:
    assert sent - len(arrived(receiver)) == sum(dropped(spool).values())
    assert spool.backlog(NAME, "traces").messages == 0


@pytest.mark.failure("E1")
def test_what_is_answered_200_arrives_once(spool: Spool, receiver: OTLPReceiver, start_sender: StartSender) -> None:
    spool.add(spans(range(SENT)) + logs(range(SENT)))
    assert start_sender().flush(5)
    assert_all_arrived_once(receiver)
    assert receiver.log_bodies == [str(number) for number in range(SENT)]
    assert spool.delivered(NAME, "traces").delivered == SENT
    assert dropped(spool) == {}


@pytest.mark.failure("E3")
@pytest.mark.parametrize(
    "script",
    [
        pytest.param([Reply(503), Reply(503)], id="503 twice"),
        pytest.param([Reply(500, body="oops")], id="500"),
        pytest.param([Reply(502), Reply(504), Reply(408)], id="502, 504, 408"),
        pytest.param([Reply(429)], id="429 that says nothing more"),
        pytest.param([Reply(ending="reset")], id="reset mid-response"),
        pytest.param([Reply(ending="shutdown")], id="shutdown mid-response"),
        pytest.param([Reply(503, ending="reset"), Reply(ending="reset"), Reply(500)], id="one after the other"),
    ],
)
def test_a_passing_failure_costs_nothing(
    script: list[Reply], spool: Spool, receiver: OTLPReceiver, start_sender: StartSender
) -> None:
    receiver.reply(*script)
    spool.add(spans(range(SENT)))
    assert start_sender().flush(10)
    assert_all_arrived_once(receiver)
    assert len(receiver.requests) == len(script) + 1
    assert dropped(spool) == {}


@pytest.mark.failure("E2")
@pytest.mark.parametrize("as_date", [False, True], ids=["seconds", "HTTP date"])
def test_retry_after_is_waited_for_even_by_a_flush(
    as_date: bool, spool: Spool, receiver: OTLPReceiver, start_sender: StartSender
) -> None:
    when = datetime.now(timezone.utc) + timedelta(seconds=3)
    header = format_datetime(when, usegmt=True) if as_date else "1"
    receiver.reply(Reply(429, headers={"Retry-After": header}))
    spool.add(spans(range(SENT)))
    sender = start_sender()
    assert receiver.wait_for(lambda it: it.requests)
    refused_at = time.monotonic()
    assert sender.flush(10)
    assert time.monotonic() - refused_at >= 0.95
    assert len(receiver.requests) == 2
    assert_all_arrived_once(receiver)


@pytest.mark.failure("E4")
def test_503_for_long_is_tried_again_for_ever(spool: Spool, receiver: OTLPReceiver, start_sender: StartSender) -> None:
    receiver.default = Reply(503, body="warming up")
    spool.add(spans(range(SENT)))
    sender = start_sender()
    assert not sender.flush(1)
    assert len(receiver.requests) > 10
    health = sender.health()
    assert health.part == "destination:otlp"
    assert health.state == "degraded"
    assert "503 Service Unavailable: warming up" in health.why
    assert health.figures["traces.backlog"] == SENT
    receiver.default = Reply()
    assert sender.flush(5)
    assert_all_arrived_once(receiver)
    assert sender.health().state == "ok"
    assert sender.health().figures["traces.last_error"] is None


@pytest.mark.failure("E5")
@pytest.mark.parametrize("status", [400, 422])
def test_one_poisoned_record_in_500_is_found_and_the_rest_arrives(
    status: int, spool: Spool, start_sender: StartSender
) -> None:
    with OTLPReceiver(poison=lambda span: number_of(span) == 321, poison_status=status) as receiver:
        spool.add(spans(range(SENT)))
        sender = start_sender(destination(receiver.url))
        assert not sender.flush(10)
        assert sender.flush(1), "what was lost in an earlier flush is not this one's"
        assert set(range(SENT)) - set(arrived(receiver)) == {321}
        assert max(arrived(receiver).values()) == 1
        assert dropped(spool) == {"quarantined": 1}
        assert_nothing_is_unaccounted(receiver, spool)
    (found,) = spool.quarantined(NAME)
    assert found.status == status
    assert "invalid record" in found.answer
    assert sender.health().figures["traces.dropped.quarantined"] == 1
    assert "invalid record" in str(sender.health().figures["traces.refusal"])


def test_bisecting_goes_on_where_it_was_when_the_receiver_fails_in_between(
    spool: Spool, start_sender: StartSender
) -> None:
    with OTLPReceiver(poison=lambda span: number_of(span) in (7, 400)) as receiver:
        receiver.reply(*[reply for _ in range(6) for reply in (Reply(503), Reply())])
        spool.add(spans(range(SENT)))
        start_sender(destination(receiver.url)).flush(10)
        assert set(range(SENT)) - set(arrived(receiver)) == {7, 400}
        assert max(arrived(receiver).values()) == 1
        assert_nothing_is_unaccounted(receiver, spool)
        assert len(receiver.requests) < 60


@pytest.mark.failure("E6")
def test_what_is_too_large_for_the_receiver_goes_in_smaller_batches(spool: Spool, start_sender: StartSender) -> None:
    with OTLPReceiver(max_body=150_000) as receiver:
        spool.add(spans(range(SENT), padding=1000))
        sender = start_sender(destination(receiver.url))
        assert sender.flush(10)
        assert_all_arrived_once(receiver)
        refused = len(receiver.requests)
        receiver.requests.clear()
        spool.add(spans(range(SENT, 2 * SENT), padding=1000))
        assert sender.flush(10)
        assert all(each.reply.status == 200 for each in receiver.requests), "what was found out is remembered"
        assert_all_arrived_once(receiver, range(2 * SENT))
        assert dropped(spool) == {}
        assert refused < 20


def test_a_single_record_that_is_too_large_is_quarantined(spool: Spool, start_sender: StartSender) -> None:
    with OTLPReceiver(max_body=10_000) as receiver:
        spool.add(spans(range(3)) + spans([3], padding=20_000) + spans(range(4, 7)))
        start_sender(destination(receiver.url)).flush(10)
        assert sorted(arrived(receiver)) == [0, 1, 2, 4, 5, 6]
        assert dropped(spool) == {"quarantined": 1}
    assert spool.quarantined(NAME)[0].status == 413


@pytest.mark.failure("E7")
def test_partial_success_is_counted_and_never_sent_again(
    spool: Spool, receiver: OTLPReceiver, start_sender: StartSender, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.reply(Reply(rejected=3, message="attribute too long"))
    spool.add(spans(range(SENT)))
    sender = start_sender()
    with caplog.at_level(logging.WARNING, "otel_taskflow"):
        assert not sender.flush(5)
    assert len(receiver.requests) == 1
    assert dropped(spool) == {"rejected": 3}
    assert_nothing_is_unaccounted(receiver, spool)
    assert spool.delivered(NAME, "traces").delivered == SENT - 3
    assert sender.health().figures["traces.refusal"] == "attribute too long"
    assert "otlp refused 3 of the traces sent to it: attribute too long" in caplog.text


def test_a_warning_beside_a_full_success_is_kept_and_costs_nothing(
    spool: Spool, receiver: OTLPReceiver, start_sender: StartSender, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.reply(Reply(message="this endpoint moves in May"))
    spool.add(logs(range(3)))
    sender = start_sender()
    with caplog.at_level(logging.WARNING, "otel_taskflow"):
        assert sender.flush(5)
    assert "otlp says about logs sent to it: this endpoint moves in May" in caplog.text
    assert sender.health().figures["logs.refusal"] == "this endpoint moves in May"
    assert dropped(spool) == {}


def test_a_partial_success_of_more_than_was_sent_counts_what_was_sent(
    spool: Spool, receiver: OTLPReceiver, start_sender: StartSender
) -> None:
    receiver.reply(Reply(rejected=1000))
    spool.add(spans(range(5)))
    start_sender().flush(5)
    assert dropped(spool) == {"rejected": 5}
    assert_nothing_is_unaccounted(receiver, spool, sent=5)


@pytest.mark.failure("E9")
@pytest.mark.parametrize("keeps", [False, True], ids=["which did not take it", "which took it"])
def test_a_receiver_slower_than_the_time_out_is_asked_again(
    keeps: bool, spool: Spool, receiver: OTLPReceiver, start_sender: StartSender
) -> None:
    receiver.reply(Reply(delay=0.6, keeps=keeps))
    spool.add(spans(range(SENT)))
    sender = start_sender(destination(receiver.url, timeout=0.2))
    assert sender.flush(10)
    assert set(arrived(receiver)) == set(range(SENT))
    assert max(arrived(receiver).values()) == 1 + keeps, "at least once, with the same ids"
    assert dropped(spool) == {}


@pytest.mark.failure("E8")
def test_records_taken_before_a_reset_come_twice_and_byte_identical(
    spool: Spool, receiver: OTLPReceiver, start_sender: StartSender
) -> None:
    receiver.reply(Reply(ending="reset", keeps=True))
    spool.add(spans(range(SENT)))
    assert start_sender().flush(10)
    assert arrived(receiver) == Counter(dict.fromkeys(range(SENT), 2))
    first, second = receiver.requests
    assert first.body == second.body


def test_what_came_while_the_collector_was_absent_arrives_when_it_is_there(
    spool: Spool, receiver: OTLPReceiver, start_sender: StartSender
) -> None:
    url = receiver.url
    receiver.stop()
    sender = start_sender(destination(url))
    for hour in range(10):
        spool.add(spans(range(hour * SENT, (hour + 1) * SENT)))
        time.sleep(0.05)
    assert "Connection refused" in sender.health().why
    assert "endpoint" in sender.health().remedy
    receiver.start()
    assert sender.flush(10)
    assert_all_arrived_once(receiver, range(10 * SENT))
    assert dropped(spool) == {}


@pytest.mark.failure("E12")
def test_beyond_the_disk_budget_the_oldest_are_dropped_and_counted(receiver: OTLPReceiver, tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db", {NAME: Limits(max_bytes=20_000)})
    spool.open()
    receiver.stop()
    sender = Sender(destination(receiver.url), spool, None, QUICK)
    sender.start()
    for at in range(0, SENT, 50):
        spool.add(spans(range(at, at + 50), padding=100))
        time.sleep(0.02)
    receiver.start()
    assert sender.flush(10)
    sender.stop(1)
    lost = dropped(spool)["disk_budget"]
    assert lost > 100
    assert sender.health().figures["traces.dropped.disk_budget"] == lost
    assert set(range(SENT - 50, SENT)) <= set(arrived(receiver)), "the newest are kept"
    assert_nothing_is_unaccounted(receiver, spool)
    spool.close()


@pytest.mark.parametrize(
    ("reply", "remedy"),
    [
        (Reply(401, body="no token"), "headers"),
        (Reply(403), "headers"),
        (Reply(404, body="<html>not here</html>"), "base address"),
        (Reply(405), "endpoint"),
        (Reply(415), "compression"),
        (Reply(301, headers={"Location": "https://other/v1/traces"}), "https://other/v1/traces"),
        (Reply(418), "endpoint and headers"),
    ],
    ids=lambda value: str(value.status) if isinstance(value, Reply) else "",
)
def test_what_is_wrong_with_the_destination_is_not_blamed_on_the_records(
    reply: Reply, remedy: str, spool: Spool, receiver: OTLPReceiver, start_sender: StartSender
) -> None:
    receiver.default = reply
    spool.add(spans(range(SENT)))
    sender = start_sender()
    assert receiver.wait_for(lambda it: len(it.requests) > 3)
    assert not sender.flush(0.1)
    health = sender.health()
    assert health.state == "failed"
    assert str(reply.status) in health.why
    assert remedy in health.remedy
    assert spool.backlog(NAME, "traces").messages == SENT
    assert dropped(spool) == {}
    receiver.default = Reply()
    assert sender.flush(5)
    assert_all_arrived_once(receiver)


def test_a_receiver_that_refuses_everything_does_not_empty_the_queue_into_quarantine(
    spool: Spool, receiver: OTLPReceiver, start_sender: StartSender
) -> None:
    receiver.default = Reply(400, body="structured metadata is not enabled")
    spool.add(spans(range(SENT)))
    sender = start_sender(tuning=Tuning(Pacing(first=0.2, longest=20)))
    assert receiver.wait_for(lambda _: sender.health().state == "failed", 20)
    assert "structured metadata is not enabled" in sender.health().why
    assert "refused every record" in sender.health().remedy
    time.sleep(0.3)
    assert dropped(spool)["quarantined"] <= 103
    receiver.default = Reply()
    sender.flush(10)
    assert sender.health().state == "ok"
    assert_nothing_is_unaccounted(receiver, spool)


def test_one_signal_does_not_wait_for_the_other(spool: Spool, start_sender: StartSender) -> None:
    with OTLPReceiver(poison=lambda record: hasattr(record, "span_id") and hasattr(record, "kind")) as receiver:
        spool.add(spans(range(50)) + logs(range(50)))
        start_sender(destination(receiver.url)).flush(10)
        assert len(receiver.log_records) == 50
        assert dropped(spool) == {"quarantined": 50}


@pytest.mark.parametrize(
    ("limits", "requests"), [(BatchLimits(messages=100), 3), (BatchLimits(bytes=5000), 8)], ids=["count", "size"]
)
def test_batches_are_limited(
    limits: BatchLimits, requests: int, spool: Spool, receiver: OTLPReceiver, start_sender: StartSender
) -> None:
    spool.add(spans(range(300), padding=100))
    assert start_sender(tuning=Tuning(QUICK.pacing, limits)).flush(5)
    assert_all_arrived_once(receiver, range(300))
    assert len(receiver.requests) == requests
