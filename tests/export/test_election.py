"""One sender a destination, however many processes there are."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from otel_taskflow.errors import ConfigurationError
from otel_taskflow.export.election import Election
from otel_taskflow.export.sender import Sender
from otel_taskflow.spool import Spool
from otel_taskflow.testing.otlp_receiver import OTLPReceiver, Reply
from tests.conftest import ROOT
from tests.export.conftest import QUICK, StartSender, destination
from tests.export.records import NAME, spans

HOLDER = """
import sys, pathlib
from otel_taskflow.export.election import Election
election = Election(pathlib.Path(sys.argv[1]), fingerprint=sys.argv[2])
election.enter()
print(election.is_won(), flush=True)
sys.stdin.read()
"""


@pytest.mark.failure("E13")
def test_another_process_sends_when_the_one_that_did_is_killed(
    spool: Spool, receiver: OTLPReceiver, start_sender: StartSender, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path / f"{NAME}.traces.lock"), ""]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        spool.add(spans(range(3)))
        sender = start_sender()
        assert not sender.flush(0.5)
        assert receiver.requests == []
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        killed = time.monotonic()
        assert receiver.wait_for(lambda it: len(it.spans) == 3, 5)
        assert time.monotonic() - killed < 2


def test_of_two_senders_on_one_spool_one_sends_and_the_other_follows(
    spool: Spool, receiver: OTLPReceiver, start_sender: StartSender
) -> None:
    first = start_sender()
    spool.add(spans(range(100)))
    assert first.flush(5)
    second = start_sender()
    spool.add(spans(range(100, 200)))
    assert second.flush(5), "it sees that the other one sends"
    assert len(receiver.spans) == 200
    assert first.stop(5)
    spool.add(spans(range(200, 300)))
    assert second.flush(5)
    assert len(receiver.spans) == 300


def test_the_end_of_a_process_waits_for_another_ones_sending_only_for_a_moment(
    spool: Spool, receiver: OTLPReceiver, start_sender: StartSender
) -> None:
    receiver.default = Reply(503)
    spool.add(spans(range(3)))
    start_sender()
    second = start_sender()
    assert receiver.wait_for(lambda it: it.requests)
    begin = time.monotonic()
    assert not second.stop(10)
    assert time.monotonic() - begin < 3


def test_destinations_are_elected_one_by_one(spool: Spool, receiver: OTLPReceiver, start_sender: StartSender) -> None:
    tempo, loki = start_sender(destination(receiver.url, "tempo")), start_sender(destination(receiver.url, "loki"))
    spool.add(spans(range(3), "tempo") + spans(range(3), "loki"))
    assert tempo.flush(5)
    assert loki.flush(5)
    assert len(receiver.spans) == 6


def test_a_dead_destination_does_not_hold_up_another(
    spool: Spool, receiver: OTLPReceiver, start_sender: StartSender
) -> None:
    dead = start_sender(destination("http://127.0.0.1:9", "loki"))
    alive = start_sender(destination(receiver.url, "tempo"))
    spool.add(spans(range(3), "loki") + spans(range(3), "tempo"))
    assert alive.flush(5)
    assert not dead.flush(0.2)
    assert (dead.health().part, dead.health().state) == ("destination:loki", "degraded")
    assert (alive.health().part, alive.health().state) == ("destination:tempo", "ok")
    assert spool.backlog("loki", "traces").messages == 3


def test_a_lock_that_cannot_be_made_is_told_and_tried_again(receiver: OTLPReceiver, tmp_path: Path) -> None:
    spool = Spool(None, {})
    spool.open()
    spool.add(spans(range(3)))
    sender = Sender(destination(receiver.url), spool, tmp_path / "later", QUICK)
    sender.start()
    try:
        assert not sender.flush(0.2)
        assert "No such file or directory" in sender.health().why
        (tmp_path / "later").mkdir()
        assert sender.flush(5)
        assert sender.health().state == "ok"
    finally:
        sender.stop(1)
        spool.close()


def test_the_lock_is_free_when_the_last_thread_has_left(tmp_path: Path) -> None:
    mine, yours = Election(tmp_path / "a.lock", patience=0), Election(tmp_path / "a.lock", patience=0)
    for _ in range(2):
        mine.enter()
        yours.enter()
    assert mine.is_won()
    mine.leave()
    assert not yours.is_won()
    mine.leave()
    assert yours.is_won()
    yours.leave()
    yours.leave()


@pytest.mark.parametrize("times", [1, 3])
def test_a_private_spool_needs_no_lock(times: int) -> None:
    election = Election(None)
    for _ in range(times):
        election.enter()
        assert election.is_won()
        election.leave()


def test_a_second_sender_of_this_process_with_another_receiver_is_refused_until_the_first_has_stopped(
    receiver: OTLPReceiver, spool: Spool, start_sender: StartSender, tmp_path: Path
) -> None:
    first = start_sender()
    for other in (destination("http://127.0.0.1:9"), destination(receiver.url, headers={"api-key": "B"})):
        with pytest.raises(ConfigurationError, match=rf"'{NAME}'.*name="):
            Sender(other, spool, tmp_path)
    start_sender(destination(receiver.url)).stop(0)
    first.stop(1)
    start_sender(destination("http://127.0.0.1:9"))


def test_a_process_that_follows_one_with_another_receiver_says_so_until_that_has_ended(
    receiver: OTLPReceiver,
    spool: Spool,
    start_sender: StartSender,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for signal_ in ("traces", "logs"):
        (tmp_path / f"{NAME}.{signal_}.receiver").write_text("that of another receiver")
    command = [sys.executable, "-c", HOLDER, str(tmp_path / f"{NAME}.traces.lock"), "that of another receiver"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        sender = start_sender(destination(receiver.url, headers={"api-key": "s3cret"}))
        until(lambda: sender.health().state == "degraded")
        assert "another endpoint or other headers" in sender.health().why
        assert "name=" in sender.health().remedy
        assert not sender.flush(0.5), "nothing waits, but what was exported went elsewhere"
        holder.kill()
        holder.wait()
    until(lambda: sender.health().state == "ok")
    assert sender.flush(5)
    assert [each.levelname for each in caplog.records if "name=" in each.message] == ["ERROR"]
    assert all("s3cret" not in each.read_text() for each in tmp_path.glob("*.receiver"))


def test_one_signal_does_not_wait_for_a_sender_of_the_other(
    receiver: OTLPReceiver, spool: Spool, start_sender: StartSender
) -> None:
    start_sender(destination(receiver.url, signals=("logs",)))
    both = start_sender(destination(receiver.url))
    spool.add(spans(range(3)))
    assert both.flush(5)
    assert len(receiver.spans) == 3


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)
