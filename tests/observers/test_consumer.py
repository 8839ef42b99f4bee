from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from otel_taskflow.consumers.observers import ObserverOffsets
from otel_taskflow.context import TaskContext, current_attempt, enter_attempt, task_log
from otel_taskflow.errors import JournalError
from otel_taskflow.events import LogEvent
from otel_taskflow.model import TaskStatus
from otel_taskflow.observers import FileLogger, InMemoryLogger, StdoutLogger, TaskObserver
from tests.observers.conftest import Make
from tests.observers.kinds import AsyncRecorder, Hanging, Recorder
from tests.observers.stream import HEADER, TASK, ended, enqueued, lines, logged, piece, started


@pytest.mark.parametrize("kind", [Recorder, AsyncRecorder])
def test_an_observer_is_told_everything_in_order(consume: Make, kind: type[Recorder]) -> None:
    observer = kind()
    consumer = consume(observer)
    consumer.consume(piece(enqueued(), started(), logged("a"), logged("b"), ended(TaskStatus.SUCCESS)))
    consumer.close(2.0)
    assert observer.told == ["startup", "RUNNING", "a", "b", "SUCCESS", "close"]
    assert (consumer.counts.delivered, consumer.counts.failed, consumer.counts.skipped) == (4, 0, 0)


def test_an_observer_runs_on_a_thread_of_its_own_that_does_not_hold_up_exit(consume: Make) -> None:
    observer = Recorder()
    consumer = consume(observer)
    consumer.consume(piece(logged()))
    (thread,) = observer.threads
    assert (thread.name, thread.daemon) == ("otel_taskflow-observer:Recorder", True)
    consumer.close(2.0)
    thread.join(5)
    assert not thread.is_alive()


def test_startup_is_called_at_the_start_without_an_event(consume: Make) -> None:
    observer = Recorder()
    consumer = consume(observer)
    consumer.start()
    consumer.start()
    consumer.close(2.0)
    assert observer.told == ["startup", "close"]


def test_an_observer_that_was_never_started_is_not_closed(consume: Make) -> None:
    observer = Recorder()
    consume(observer).close(2.0)
    assert observer.told == []


def test_lines_below_min_level_are_left_out_and_changes_of_state_never(consume: Make) -> None:
    observer = Recorder()
    observer.min_level = "warning"
    consume(observer).consume(piece(enqueued(), started(), logged("a", "info"), logged("b", "error")))
    assert observer.told == ["startup", "RUNNING", "b"]


def test_no_event_is_told_after_the_end(consume: Make) -> None:
    observer = Recorder()
    consumer = consume(observer)
    consumer.consume(lines(1))
    consumer.close(2.0)
    consumer.close(2.0)
    consumer.consume(lines(1, first=2))
    assert observer.told == ["startup", "line 1", "close"]


def test_awaitables_run_on_a_loop_of_the_observers_own(consume: Make) -> None:
    observer = AsyncRecorder()
    consumer = consume(observer)
    consumer.consume(lines(2))
    consumer.consume(lines(2, first=3))
    assert len(observer.loops) == 1


@pytest.mark.anyio
async def test_awaitables_run_on_the_apps_loop_where_that_is_wanted(consume: Make) -> None:
    here = asyncio.get_running_loop()
    observer = AsyncRecorder()
    observer.loop = "app"
    consumer = consume(observer, app_loop=lambda: here)
    await asyncio.to_thread(consumer.consume, lines(2))
    await asyncio.to_thread(consumer.close, 2.0)
    assert observer.told == ["startup", "line 1", "line 2", "close"]
    assert observer.loops == {here}


@pytest.mark.anyio
async def test_a_blocking_method_never_runs_on_the_apps_loop(consume: Make) -> None:
    here = asyncio.get_running_loop()
    observer = Recorder()
    observer.loop = "app"
    consumer = consume(observer, app_loop=lambda: here)
    await asyncio.to_thread(consumer.consume, lines(2))
    assert {thread.name for thread in observer.threads} == {"otel_taskflow-observer:Recorder"}


def closed_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    loop.close()
    return loop


@pytest.mark.parametrize("loop", [lambda: None, closed_loop], ids=["none", "closed"])
def test_without_an_app_loop_awaitables_run_on_the_observers_own(
    consume: Make, loop: Callable[[], asyncio.AbstractEventLoop | None]
) -> None:
    observer = AsyncRecorder()
    observer.loop = "app"
    consume(observer, app_loop=loop).consume(lines(2))
    assert observer.told == ["startup", "line 1", "line 2"]


class Attempt:
    """A running attempt that only remembers what was logged."""

    context = TaskContext(TASK, "send_email", 0)

    def __init__(self) -> None:
        self.lines: list[object] = []

    def log(self, message: object, level: object, extra: dict[str, Any], logger: str | None = None) -> None:
        self.lines.append(message)


class Chatty(TaskObserver):
    """Calls task_log for each line it is told."""

    def on_log(self, event: LogEvent) -> None:
        assert current_attempt() is None
        task_log(f"told {event.message}")


class ChattyOnTheLoop(TaskObserver):
    """As Chatty, in a coroutine."""

    async def on_log(self, event: LogEvent) -> None:
        assert current_attempt() is None
        task_log(f"told {event.message}")


@pytest.mark.failure("T4")
@pytest.mark.parametrize("observer", [Chatty(), ChattyOnTheLoop()], ids=["plain", "async"])
def test_an_observer_that_logs_is_outside_of_every_task(
    consume: Make, observer: TaskObserver, caplog: pytest.LogCaptureFixture
) -> None:
    consumer, attempt = consume(observer), Attempt()
    caplog.set_level(logging.INFO, "otel_taskflow.task")
    enter_attempt(attempt)
    try:
        consumer.consume(lines(2))
    finally:
        enter_attempt(None)
    assert attempt.lines == []
    assert [record.getMessage() for record in caplog.records] == ["told line 1", "told line 2"]
    assert consumer.counts.delivered == 2


def test_a_file_logger_is_given_a_slice_at_once(consume: Make, tmp_path: Path) -> None:
    class Counting(FileLogger):
        batches = 0

        def on_batch(self, events: Any) -> Any:
            self.batches += 1
            return super().on_batch(events)

    observer = Counting(tmp_path / "app.log")
    consumer = consume(observer)
    consumer.consume(lines(200))
    assert observer.batches == 1
    assert consumer.counts.delivered == 200
    assert len((tmp_path / "app.log").read_text().splitlines()) == 200


def test_a_file_logger_with_an_on_log_of_its_own_is_given_each_line(consume: Make, tmp_path: Path) -> None:
    class Selective(FileLogger):
        def on_log(self, event: LogEvent) -> Any:
            return super().on_log(event) if event.message.endswith("7") else None

    consume(Selective(tmp_path / "app.log")).consume(lines(20))
    assert len((tmp_path / "app.log").read_text().splitlines()) == 2


def test_the_place_of_an_observer_that_wants_replay_is_kept(consume: Make, tmp_path: Path) -> None:
    offsets = ObserverOffsets(tmp_path)
    consumer = consume(Recorder(), offsets=offsets)
    assert consumer.wants_replay
    assert consumer.seen_of(HEADER.journal_id) == 0
    consumer.consume(lines(10))
    assert consume(Recorder(), offsets=offsets).seen_of(HEADER.journal_id) == 10


def test_slices_that_overlap_are_told_once(consume: Make) -> None:
    observer = Recorder()
    consumer = consume(observer)
    for first, count in ((1, 5), (3, 5), (4, 2), (8, 1)):
        consumer.consume(lines(count, first=first))
    assert observer.told == ["startup", *(f"line {seq}" for seq in range(1, 9))]


@pytest.mark.parametrize("observer", [InMemoryLogger(), StdoutLogger()])
def test_the_place_of_one_that_wants_none_is_not_kept(consume: Make, tmp_path: Path, observer: TaskObserver) -> None:
    consumer = consume(observer, offsets=ObserverOffsets(tmp_path))
    consumer.consume(lines(3))
    assert not consumer.wants_replay
    assert list(tmp_path.iterdir()) == []


def test_a_dead_process_lines_are_written_to_the_file_by_the_next(consume: Make, tmp_path: Path) -> None:
    offsets, path = ObserverOffsets(tmp_path), tmp_path / "app.log"
    consume(FileLogger(path), offsets=offsets).consume(lines(3))
    survivor = consume(FileLogger(path), offsets=offsets)
    seen = survivor.seen_of(HEADER.journal_id)
    survivor.consume(lines(4, first=seen + 1)._replace(live=False))
    assert [line.rsplit(" ", 1)[1] for line in path.read_text().splitlines()] == [str(n) for n in range(1, 8)]


def test_what_is_left_of_a_dead_process_when_we_close_is_left_to_the_next(consume: Make, tmp_path: Path) -> None:
    offsets = ObserverOffsets(tmp_path)
    consumer = consume(Recorder(), offsets=offsets)
    consumer.consume(lines(3))
    consumer.close(2.0)
    with pytest.raises(JournalError, match="left for later"):
        consumer.consume(lines(3, first=4)._replace(live=False))
    assert consumer.seen_of(HEADER.journal_id) == 3


def test_what_closing_cuts_off_is_left_to_the_next_and_is_no_loss(consume: Make, tmp_path: Path) -> None:
    hanging = Hanging()
    consumer = consume(hanging, offsets=ObserverOffsets(tmp_path))
    with ThreadPoolExecutor() as pool:
        cut_off = pool.submit(consumer.consume, lines(3))
        assert hanging.entered.wait(5)
        waits = pool.submit(consumer.consume, lines(2, first=4))
        consumer.close(0.1)
        for left in (cut_off, waits):
            assert isinstance(left.exception(5), JournalError)
    hanging.release.set()
    assert consumer.seen_of(HEADER.journal_id) == 0
    assert (consumer.counts.failed, consumer.counts.skipped) == (1, 0)


def test_what_was_told_before_closing_cuts_a_slice_off_is_not_told_again(consume: Make, tmp_path: Path) -> None:
    class HangingAtTheThird(Hanging):
        def on_log(self, event: LogEvent) -> None:
            if event.message == "line 3":
                super().on_log(event)

    hanging = HangingAtTheThird()
    consumer = consume(hanging, offsets=ObserverOffsets(tmp_path))
    with ThreadPoolExecutor() as pool:
        cut_off = pool.submit(consumer.consume, lines(5))
        assert hanging.entered.wait(5)
        waits = pool.submit(consumer.consume, lines(2, first=6))
        consumer.close(0.1)
        for left in (cut_off, waits):
            assert isinstance(left.exception(5), JournalError)
    hanging.release.set()
    assert consumer.seen_of(HEADER.journal_id) == 2


def test_what_closing_cuts_off_is_lost_and_counted_where_no_place_is_kept(consume: Make) -> None:
    hanging = Hanging()
    consumer = consume(hanging)
    with ThreadPoolExecutor() as pool:
        cut_off = pool.submit(consumer.consume, lines(3))
        assert hanging.entered.wait(5)
        consumer.close(0.1)
        cut_off.result(5)
        consumer.consume(lines(2, first=4))
    hanging.release.set()
    assert (consumer.counts.failed, consumer.counts.skipped) == (1, 4)


def test_a_loud_task_of_one_slice_costs_a_custom_observer_little(consume: Make) -> None:
    consumer = consume(Recorder())
    before = monotonic()
    for number in range(20):
        consumer.consume(lines(200, first=1 + number * 200))
    assert monotonic() - before < 2.0
    assert consumer.counts.delivered == 4000
