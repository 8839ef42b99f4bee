"""Threads of sync tasks: few while calls are short, as many as allowed while they wait."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from otel_taskflow.engine.threads import ThreadPool

LIMIT = 8
SECONDS = 20.0
"""Longer than anything here takes."""


@pytest.fixture
def pool(request: pytest.FixtureRequest) -> Iterator[ThreadPool]:
    pool = ThreadPool(LIMIT, request.node.name)
    yield pool
    pool.close()


def threads_named(name: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith(f"{name}-")]


def run_short_calls(pool: ThreadPool, count: int) -> None:
    ran: list[int] = []
    all_ran = threading.Event()

    def call() -> None:
        ran.append(1)
        if len(ran) == count:
            all_ran.set()

    for _ in range(count):
        pool.submit(call)
    assert all_ran.wait(SECONDS)


@pytest.mark.parametrize("short_calls", [0, 5000])
def test_calls_that_wait_run_on_as_many_threads_as_there_may_be(
    pool: ThreadPool, short_calls: int, request: pytest.FixtureRequest
) -> None:
    if short_calls:
        run_short_calls(pool, short_calls)
    meeting, met = threading.Barrier(LIMIT), threading.Semaphore(0)

    def meet_the_others() -> None:
        meeting.wait(SECONDS)
        met.release()

    for _ in range(2 * LIMIT):
        pool.submit(meet_the_others)
    assert all(met.acquire(timeout=SECONDS) for _ in range(2 * LIMIT))
    assert len(threads_named(request.node.name)) == LIMIT


def test_a_call_behind_short_ones_and_one_that_waits_for_it_is_run_by_another_thread(pool: ThreadPool) -> None:
    set_by_the_last, waited = threading.Event(), threading.Event()

    def wait_for_the_last() -> None:
        if set_by_the_last.wait(SECONDS):
            waited.set()

    for _ in range(2000):
        pool.submit(int)
    pool.submit(wait_for_the_last)
    pool.submit(set_by_the_last.set)
    assert waited.wait(SECONDS)


def test_calls_begin_in_the_order_in_which_they_came() -> None:
    pool, order, done = ThreadPool(1, "in order"), list[int](), threading.Event()
    for number in range(500):
        pool.submit(lambda number=number: order.append(number))
    pool.submit(done.set)
    assert done.wait(SECONDS)
    assert order == list(range(500))
    pool.close()


def test_what_a_call_raises_does_not_end_its_thread(caplog: pytest.LogCaptureFixture) -> None:
    pool, ran_on = ThreadPool(1, "raising"), list[threading.Thread]()
    done = threading.Event()

    def fail() -> None:
        ran_on.append(threading.current_thread())
        raise SystemExit("from a task")

    def succeed() -> None:
        ran_on.append(threading.current_thread())
        done.set()

    pool.submit(fail)
    pool.submit(succeed)
    assert done.wait(SECONDS)
    assert ran_on[0] is ran_on[1]
    assert "should have been contained" in caplog.text
    pool.close()


def test_idle_threads_leave_when_the_pool_is_closed() -> None:
    pool, met = ThreadPool(3, "leaving"), threading.Barrier(4)
    for _ in range(3):
        pool.submit(lambda: met.wait(SECONDS))
    met.wait(SECONDS)
    leaving = threads_named("leaving")
    assert len(leaving) == 3
    pool.close()
    for thread in leaving:
        thread.join(SECONDS)
    assert not any(thread.is_alive() for thread in leaving)


def test_who_hears_of_a_call_that_has_ended_finds_its_thread_ready(pool: ThreadPool) -> None:
    ran_on: list[threading.Thread] = []
    done = threading.Event()

    def call() -> None:
        ran_on.append(threading.current_thread())
        if len(ran_on) < 50:
            pool.farewell(lambda: submit_elsewhere(call))
        else:
            pool.farewell(done.set)

    def submit_elsewhere(call: Callable[[], None]) -> None:
        other = threading.Thread(target=pool.submit, args=(call,))
        other.start()
        other.join(SECONDS)

    pool.submit(call)
    assert done.wait(SECONDS)
    assert len(set(ran_on)) == 1


def test_a_farewell_from_a_thread_of_others_is_said_at_once(pool: ThreadPool) -> None:
    said: list[threading.Thread] = []
    pool.farewell(lambda: said.append(threading.current_thread()))
    assert said == [threading.current_thread()]


def test_a_farewell_that_raises_does_not_end_its_thread(pool: ThreadPool, caplog: pytest.LogCaptureFixture) -> None:
    done = threading.Event()

    def fail() -> None:
        raise RuntimeError("from a farewell")

    def call() -> None:
        pool.farewell(fail)
        pool.farewell(done.set)

    pool.submit(call)
    assert done.wait(SECONDS)
    assert "should have been contained" in caplog.text


def test_a_farewell_is_said_in_a_pool_that_is_closed_meanwhile(pool: ThreadPool) -> None:
    done = threading.Event()

    def call() -> None:
        pool.farewell(done.set)
        pool.close()

    pool.submit(call)
    assert done.wait(SECONDS)
