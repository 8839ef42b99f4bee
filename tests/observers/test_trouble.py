from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from time import monotonic

import pytest

from otel_taskflow.events import LogEvent
from otel_taskflow.health import DEGRADED
from otel_taskflow.model import TaskStatus
from tests.observers.conftest import Make
from tests.observers.kinds import AsyncFailing, AsyncRecorder, Failing, Hanging, Recorder
from tests.observers.stream import ended, lines, logged, piece, started


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    observer = Hanging()
    yield observer
    observer.release.set()


@pytest.fixture
def app_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop that runs on a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join(5)
    loop.close()


def test_an_exception_is_counted_and_logged_once_and_the_next_event_comes(
    consume: Make, caplog: pytest.LogCaptureFixture
) -> None:
    observer = Failing(3)
    consumer = consume(observer)
    consumer.consume(lines(5))
    assert (consumer.counts.failed, consumer.counts.delivered) == (3, 2)
    assert [record.getMessage() for record in caplog.records] == [
        "otel_taskflow: observer:Failing failed in on_log; logged once"
    ]


ERRORS = [SystemExit, KeyboardInterrupt, asyncio.CancelledError, asyncio.TimeoutError]


@pytest.mark.parametrize("kind", [Failing, AsyncFailing])
@pytest.mark.parametrize("error", ERRORS)
def test_nothing_that_an_observer_raises_ends_its_thread(
    consume: Make, error: type[BaseException], kind: type[Failing]
) -> None:
    consumer = consume(kind(1, error))
    consumer.consume(lines(3))
    assert (consumer.counts.failed, consumer.counts.delivered) == (1, 2)


@pytest.mark.parametrize("error", ERRORS)
def test_nothing_that_an_observer_raises_ends_the_apps_loop(
    consume: Make, app_loop: asyncio.AbstractEventLoop, error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    observer = AsyncFailing(1, error)
    observer.loop = "app"
    consumer = consume(observer, app_loop=lambda: app_loop)
    consumer.consume(lines(3))
    assert (consumer.counts.failed, consumer.counts.delivered) == (1, 2)
    assert app_loop.is_running()
    assert [record.getMessage() for record in caplog.records] == [
        "otel_taskflow: observer:AsyncFailing failed in on_log; logged once"
    ]


def test_a_startup_that_fails_does_not_keep_events_away(consume: Make) -> None:
    class Unprepared(Recorder):
        def startup(self) -> None:
            raise OSError("no connection")

    observer = Unprepared()
    consume(observer).consume(lines(2))
    assert observer.told == ["line 1", "line 2"]


@pytest.mark.failure("T4")
def test_after_five_failures_in_a_row_an_observer_is_left_alone_for_a_while(
    consume: Make, caplog: pytest.LogCaptureFixture
) -> None:
    observer = Failing(1000)
    consumer = consume(observer)
    consumer.consume(lines(50))
    assert observer.calls == 5
    assert (consumer.counts.failed, consumer.counts.skipped) == (5, 45)
    assert "observer:Failing failed 5 times in a row and is paused" in caplog.text


def test_what_an_observer_does_not_listen_to_is_no_success_between_its_failures(consume: Make) -> None:
    observer = Failing(1000)
    consumer = consume(observer)
    for number in range(10):
        consumer.consume(piece(started(), logged(), ended(TaskStatus.SUCCESS), first=1 + 3 * number))
    assert observer.calls == 5
    assert (consumer.counts.delivered, consumer.counts.failed, consumer.counts.skipped) == (0, 5, 5)
    assert consumer.health().state == DEGRADED


def test_after_the_pause_it_is_tried_again_and_works(consume: Make) -> None:
    consumer = consume(Failing(5), pause=0.0)
    consumer.consume(lines(9))
    assert (consumer.counts.failed, consumer.counts.delivered, consumer.counts.skipped) == (5, 4, 0)


def test_a_call_that_blocks_is_given_up_and_what_comes_meanwhile_is_skipped(consume: Make, hanging: Hanging) -> None:
    consumer = consume(hanging, call_limit=0.1)
    consumer.consume(lines(3))
    assert (consumer.counts.failed, consumer.counts.skipped) == (1, 2)
    before = monotonic()
    consumer.consume(lines(200, first=4))
    assert monotonic() - before < 200 * 0.1, "no call waited for the limit"
    assert consumer.counts.skipped == 202


def test_an_observer_that_came_back_is_told_again(consume: Make, hanging: Hanging) -> None:
    consumer = consume(hanging, call_limit=0.1)
    consumer.consume(lines(2))
    hanging.release.set()
    delivery = consumer._current
    assert delivery is not None
    assert delivery.over.wait(5)
    consumer.consume(lines(1, first=3))
    assert hanging.told == ["line 1", "line 3"]


def test_a_coroutine_that_hangs_is_cancelled_and_the_next_event_comes(consume: Make) -> None:
    class Waiting(AsyncRecorder):
        async def on_log(self, event: LogEvent) -> None:
            if event.message == "line 1":
                await asyncio.Event().wait()
            await super().on_log(event)

    observer = Waiting()
    consumer = consume(observer, call_limit=1.0)
    consumer.consume(lines(2))
    assert observer.told == ["startup", "line 2"]
    assert consumer.counts.failed == 1


def test_closing_beside_a_hanging_call_takes_no_longer_than_it_may(
    consume: Make, hanging: Hanging, caplog: pytest.LogCaptureFixture
) -> None:
    consumer = consume(hanging)
    working = threading.Thread(target=consumer.consume, args=[lines(5)])
    working.start()
    assert hanging.entered.wait(5)
    before = monotonic()
    consumer.close(0.5)
    assert monotonic() - before < 2.0
    working.join(5)
    assert not working.is_alive()
    assert "did not close within 0.5 s" in caplog.text


def test_closing_lets_what_is_being_told_end(consume: Make) -> None:
    entered = threading.Event()

    class Slow(AsyncRecorder):
        async def on_log(self, event: LogEvent) -> None:
            entered.set()
            await asyncio.sleep(0.01)
            await super().on_log(event)

    observer = Slow()
    consumer = consume(observer)
    working = threading.Thread(target=consumer.consume, args=[lines(10)])
    working.start()
    assert entered.wait(5)
    consumer.close(10.0)
    working.join(5)
    assert observer.told == ["startup", *(f"line {seq}" for seq in range(1, 11)), "close"]


def test_a_close_that_hangs_is_left_behind(consume: Make) -> None:
    class Stubborn(Recorder):
        async def close(self) -> None:  # type: ignore[override] # plain in Recorder, and either may be
            await asyncio.Event().wait()

    consumer = consume(Stubborn())
    consumer.consume(lines(1))
    before = monotonic()
    consumer.close(0.3)
    assert monotonic() - before < 2.0
