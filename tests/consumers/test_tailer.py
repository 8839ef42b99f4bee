"""Every consumer gets every event once, in order, whatever the others do."""

from __future__ import annotations

import asyncio
import errno
import logging
import threading
from pathlib import Path
from time import monotonic, sleep

import pytest

from otel_taskflow.consumers import tailer as tailers
from otel_taskflow.events import Event
from otel_taskflow.journal.reader import DeadReader, LiveReader, Record
from otel_taskflow.journal.segment import SIZE
from tests.consumers.support import Recorder, following, line
from tests.journal.support import FullDisk


@pytest.mark.parametrize("place", ["on disk", "in memory"])
def test_every_event_reaches_every_consumer_in_order(tmp_path: Path, place: str) -> None:
    store, other = Recorder("store"), Recorder("other")
    with following(tmp_path if place == "on disk" else None, store, other) as (writer, tailer):
        for number in range(1, 5001):
            writer.append_log(line(number), keep=True)
        assert tailer.flush()
    assert store.numbers == other.numbers == list(range(1, 5001))
    assert store.closed
    assert other.closed


def test_what_a_sleeping_tailer_is_woken_for_arrives_at_once() -> None:
    store = Recorder("store")
    with following(None, store) as (writer, tailer):
        for number in range(1, 20):
            writer.append(line(number))
            assert tailer.wait_all(number, 5.0)
    assert store.numbers == list(range(1, 20))


def test_a_slow_consumer_holds_up_nobody_and_misses_nothing(tmp_path: Path) -> None:
    store, slow = Recorder("store"), Recorder("slow")
    slow.gate.clear()
    with following(tmp_path, store, slow) as (writer, tailer):
        for number in range(1, 20_001):
            writer.append_log(line(number), keep=True)
        assert tailer.store.wait(20_000, 20.0)
        assert tailer.lag()["slow"] > 0
        slow.gate.set()
        assert tailer.flush(20.0)
    assert slow.numbers == list(range(1, 20_001))
    assert sum(slow.firsts[index + 1] <= slow.firsts[index] for index in range(len(slow.firsts) - 1)) == 0


def test_what_was_read_from_the_journal_is_not_told_again_from_memory(tmp_path: Path) -> None:
    store, slow = Recorder("store"), Recorder("slow")
    with following(tmp_path, store, slow) as (writer, tailer):
        for number in range(1, 3001):
            if number % 500 == 0:
                slow.gate.clear()
            if number % 500 == 60:
                slow.gate.set()
            writer.append_log(line(number), keep=True)
            if number % 101 == 0:
                tailer.store.wait(number, 5.0)
        slow.gate.set()
        assert tailer.flush(20.0)
    assert slow.numbers == list(range(1, 3001))


def test_a_consumer_that_fails_is_offered_the_slice_again(caplog: pytest.LogCaptureFixture) -> None:
    store = Recorder("store", failures=2)
    with following(None, store) as (writer, tailer), caplog.at_level(logging.WARNING, "otel_taskflow"):
        writer.append(line(1))
        assert tailer.flush()
    assert store.numbers == [1]
    assert len([record for record in caplog.records if "store failed" in record.getMessage()]) == 1


def test_one_that_goes_on_failing_is_skipped_after_three_times_and_counted() -> None:
    store, broken = Recorder("store"), Recorder("broken", failures=3)
    with following(None, store, broken) as (writer, tailer):
        writer.append(line(1))
        assert tailer.flush()
        writer.append(line(2))
        assert tailer.flush()
        assert tailer.skipped() == {"broken": 1}
    assert broken.numbers == [2]
    assert store.numbers == [1, 2]


def test_the_store_is_never_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    from otel_taskflow.consumers import thread

    monkeypatch.setattr(thread, "LONGEST_PAUSE", 0.01)
    store = Recorder("store", failures=10)
    with following(None, store) as (writer, tailer):
        writer.append(line(1))
        assert tailer.flush(10.0)
    assert store.numbers == [1]


def test_what_the_store_refuses_until_the_end_is_not_taken_and_stays_in_the_journal(tmp_path: Path) -> None:
    store = Recorder("store")
    with following(tmp_path, store) as (writer, tailer):
        writer.append(line(1))
        assert tailer.flush()
        store.failures = 1_000_000
        writer.append(line(2))
        while store.calls < 2:
            sleep(0.001)
    assert tailer.consumed == 1
    assert writer.folder is not None
    assert [record.seq for record in DeadReader(writer.folder).records(tailer.consumed)] == [2]


def test_segments_stay_until_the_store_has_them_and_go_then(tmp_path: Path) -> None:
    store = Recorder("store")
    store.gate.clear()
    with following(tmp_path, store) as (writer, tailer):
        size = SIZE // 3
        for number in range(1, 16):
            writer.append(line(number, size))
        assert len(writer.segments) >= 5
        store.gate.set()
        assert tailer.flush(20.0)
        writer.append(line(16))
        assert tailer.flush()
        writer.append(line(17))
        assert tailer.flush()
        assert len(writer.segments) <= 2
    assert store.numbers == list(range(1, 18))


def test_a_consumer_too_far_behind_is_taken_forward_and_that_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tailers, "LIVE_LAG", 10)
    store, slow = Recorder("store"), Recorder("slow")
    slow.gate.clear()
    with following(tmp_path, store, slow) as (writer, tailer):
        for number in range(1, 401):
            writer.append(line(number, SIZE // 10))
            if number % 20 == 0:
                assert tailer.store.wait(number, 10.0)
        slow.gate.set()
        assert tailer.flush(20.0)
        missed = tailer.skipped()["slow"]
    assert missed > 0
    assert len(slow.numbers) == 400 - missed
    assert slow.numbers == sorted(set(slow.numbers))
    assert store.numbers == list(range(1, 401))


def test_a_slow_observer_makes_nobody_else_lose_lines(tmp_path: Path) -> None:
    store, slow = Recorder("store"), Recorder("slow")
    slow.gate.clear()
    with following(tmp_path, store, slow, budget=8 * SIZE) as (writer, tailer):
        for number in range(1, 401):
            writer.append_log(line(number, SIZE // 10), keep=False)
            if number % 5 == 0:
                assert tailer.store.wait(number, 10.0)
        assert writer.dropped == {}
        assert 3 <= len(writer.segments) <= 5
        slow.gate.set()
        assert tailer.flush(20.0)
        missed = tailer.skipped()["slow"]
    assert store.numbers == list(range(1, 401))
    assert 0 < missed == 400 - len(slow.numbers)


def test_a_record_that_cannot_be_read_is_left_out_and_counted() -> None:
    store = Recorder("store")
    with following(None, store) as (writer, tailer):
        writer.append(line(1))
        writer.append(b"no event")
        writer.append(line(3))
        assert tailer.flush()
        assert tailer.decoder.dropped == {"unreadable": 1}
    assert store.numbers == [1, 3]


def test_a_record_that_cannot_be_looked_through_is_left_out_and_counted() -> None:
    def look_for_secrets(event: Event) -> Event:
        if event.time == 2:
            raise RuntimeError("a rule that fails")
        return event

    store = Recorder("store")
    with following(None, store, decode_step=look_for_secrets) as (writer, tailer):
        for number in range(1, 4):
            writer.append(line(number))
        assert tailer.flush()
        assert tailer.decoder.dropped == {"unreadable": 1}
    assert store.numbers == [1, 3]


@pytest.mark.parametrize("which", ["tailer", "slow"])
def test_a_thread_that_cannot_read_the_journal_for_a_while_goes_on_and_says_so_once(
    which: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    read, failures = LiveReader.read, iter(range(3))

    def fail_three_times(reader: LiveReader, limit: int) -> list[Record]:
        records = read(reader, limit)
        if threading.current_thread().name == f"otel_taskflow-{which}" and next(failures, None) is not None:
            raise OSError(errno.EIO, "Input/output error")
        return records

    store, slow = Recorder("store"), Recorder("slow")
    slow.gate.clear()
    with caplog.at_level(logging.ERROR, "otel_taskflow"), following(None, store, slow) as (writer, tailer):
        monkeypatch.setattr(LiveReader, "read", fail_three_times)
        for number in range(1, 5001):
            writer.append(line(number))
        assert tailer.store.wait(5000, 20.0)
        slow.gate.set()
        assert tailer.flush(20.0)
    assert next(failures, None) is None
    assert store.numbers == slow.numbers == list(range(1, 5001))
    [said] = [record.getMessage() for record in caplog.records]
    assert "Input/output error" in said


def test_a_segment_that_cannot_be_deleted_holds_up_nothing(tmp_path: Path) -> None:
    store = Recorder("store")
    with following(tmp_path, store) as (writer, tailer):
        path = writer.segments[0].path
        assert path is not None
        path.unlink()
        path.mkdir()
        for number in range(1, 40):
            writer.append(line(number, SIZE // 4))
            assert tailer.flush(10.0)
        assert len(writer.segments) <= 2
    assert store.numbers == list(range(1, 40))


def test_waiting_for_a_number_ends_with_the_commit_or_the_time() -> None:
    async def wait() -> None:
        store = Recorder("store")
        with following(None, store) as (writer, tailer):
            writer.append(line(1))
            assert await tailer.reach(1, 5.0) == 0
            store.gate.clear()
            writer.append(line(2))
            assert await tailer.reach(2, 0.05) == 1
            store.gate.set()
            assert await tailer.reach(2, 5.0) == 0

    asyncio.run(wait())


def test_it_says_whether_somebody_waits_for_everybody() -> None:
    slow = Recorder("slow")
    with following(None, slow) as (writer, tailer):
        slow.gate.clear()
        number = writer.append(line(1))
        assert not tailer.is_awaited
        waiting = threading.Thread(target=tailer.wait_all, args=(number, 20.0))
        waiting.start()
        while not tailer.is_awaited:
            assert waiting.is_alive()
            sleep(0.001)
        slow.gate.set()
        waiting.join(20)
        assert not tailer.is_awaited


class Stalling(Recorder):
    """Says that it comes no further while its gate is closed."""

    def is_stalled(self) -> bool:
        return not self.gate.is_set()

    def close(self, timeout: float) -> None:
        self.gate.set()
        super().close(timeout)


def test_at_the_end_nobody_waits_for_a_consumer_that_is_stalled_and_all_others_get_everything(tmp_path: Path) -> None:
    store, stalling, slow = Recorder("store"), Stalling("stalling"), Recorder("slow")
    with following(tmp_path, store, stalling, slow) as (writer, tailer):
        for consumer in (stalling, slow):
            consumer.gate.clear()
        writer.append(line(1))
        opening = threading.Timer(0.5, slow.gate.set)
        opening.start()
        begun = monotonic()
        assert not tailer.flush(15.0)
        assert store.numbers == slow.numbers == [1]
        assert tailer.consumed == 0
    assert monotonic() - begun < 10
    assert stalling.closed


def test_closing_is_given_what_the_wait_before_has_left_of_the_time(tmp_path: Path) -> None:
    times: list[float] = []

    class Slow(Recorder):
        def close(self, timeout: float) -> None:
            times.append(timeout)

    store, slow = Recorder("store"), Slow("slow")
    with following(tmp_path, store, slow) as (writer, tailer):
        slow.gate.clear()
        writer.append(line(1))
        assert tailer.store.wait(1, 10.0)
        tailer.stop(0.5)
        slow.gate.set()
    assert times[0] < 0.25


def test_appending_from_many_threads_loses_nothing(tmp_path: Path) -> None:
    store = Recorder("store")
    with following(tmp_path, store) as (writer, tailer):

        def flood() -> None:
            for number in range(2000):
                writer.append_log(line(number), keep=True)

        threads = [threading.Thread(target=flood) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert tailer.flush(20.0)
    assert store.numbers == list(range(1, 16_001))


def test_a_quiet_journal_in_memory_goes_back_to_the_disk_soon_after_there_is_room(tmp_path: Path) -> None:

    disk = FullDisk()
    with following(tmp_path, Recorder("store"), disk=disk) as (writer, tailer):
        disk.is_full = True
        while not writer.is_degraded:
            writer.append(line(1) + bytes(500_000))
        assert tailer.flush()
        disk.is_full = False
        deadline = monotonic() + 10
        while writer.is_degraded:
            assert monotonic() < deadline
            sleep(0.05)
