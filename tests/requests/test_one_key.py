"""Several requests that ask for one idempotency key while its task waits for a response."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial

import pytest
from fastapi import Depends, HTTPException

from otel_taskflow import TaskManager
from otel_taskflow.model import TaskRow, TaskStatus
from tests.requests.conftest import Site

PATIENCE = 10.0


class Orders:
    """Requests with one key, each of which stays in its route until it is told how it ends."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.may_end = threading.Event()
        """Cleared: the task stays in its attempt."""
        self.may_end.set()
        self.running = threading.Event()
        """Set: the attempt has begun."""
        self._ends: dict[str, Future[int]] = {}
        self._added: dict[str, threading.Event] = {}
        self._pool = ThreadPoolExecutor()
        site.manager.task(name="charge")(self.charge)

        @site.app.post("/{name}")
        def route(name: str, eager: bool = False, times: int = 1, tasks=Depends(site.manager.get_tasks)) -> None:
            for _ in range(times):
                site.ids.append(tasks.add_task(self.charge, idempotency_key="order-1", eager=eager))
            self._added[name].set()
            status = self._ends[name].result(PATIENCE)
            if status != 200:
                raise HTTPException(status)

    def charge(self) -> None:
        self.running.set()
        assert self.may_end.wait(PATIENCE)
        self.site.note("charged")

    def begin(self, name: str, query: str = "") -> Future[int]:
        """What a request will be answered with, which has added its task and stays in its route."""
        self._ends[name], self._added[name] = Future(), threading.Event()
        answer = self._pool.submit(self.site.post, f"/{name}{query}")
        assert self._added[name].wait(PATIENCE)
        return answer

    def end(self, name: str, status: int) -> None:
        self._ends[name].set_result(status)

    def row(self) -> TaskRow:
        """The one task that all were given."""
        assert len(set(self.site.ids)) == 1
        return self.site.rows()[0]

    def close(self) -> None:
        self.may_end.set()
        self._pool.shutdown()


@pytest.fixture
def orders(site: Site) -> Iterator[Orders]:
    made = Orders(site)
    yield made
    made.close()


def assert_charged_once(orders: Orders) -> None:
    assert orders.row().status is TaskStatus.SUCCESS
    assert orders.site.happened == ["charged"]


def test_the_task_runs_although_the_first_of_two_requests_with_its_key_fails(orders: Orders) -> None:
    one, two = orders.begin("one"), orders.begin("two")
    orders.end("one", 500)
    assert one.result(PATIENCE) == 500
    orders.end("two", 200)
    assert two.result(PATIENCE) == 200
    assert_charged_once(orders)


def test_the_failure_of_the_first_request_does_not_harm_what_the_second_has_begun(orders: Orders) -> None:
    orders.may_end.clear()
    one, two = orders.begin("one"), orders.begin("two")
    orders.end("two", 200)
    assert orders.running.wait(PATIENCE)
    orders.end("one", 500)
    assert one.result(PATIENCE) == 500
    orders.may_end.set()
    assert two.result(PATIENCE) == 200
    assert_charged_once(orders)


@pytest.mark.parametrize("is_hermetic", [False, True])
def test_requests_with_one_key_run_its_task_once_and_all_wait_for_it(
    orders: Orders, is_hermetic: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders.site.manager.runtime, "is_hermetic", is_hermetic)
    orders.may_end.clear()
    answers = [orders.begin(name) for name in ("one", "two", "three")]
    for name in ("two", "three", "one"):
        orders.end(name, 200)
    assert not wait(answers, timeout=0.2).done
    orders.may_end.set()
    assert [answer.result(PATIENCE) for answer in answers] == [200] * 3
    assert_charged_once(orders)


def test_the_task_is_cancelled_when_all_requests_with_its_key_have_failed_and_the_key_is_free(orders: Orders) -> None:
    for name in ("one", "two"):
        orders.begin(name, "?times=2")
    for name in ("one", "two"):
        orders.end(name, 500)
    orders.close()
    row = orders.row()
    assert (row.status, row.reason, row.attempts) == (TaskStatus.CANCELLED, "request_failed", 0)
    assert orders.site.manager.add_task(orders.charge, idempotency_key="order-1") != row.task_id


@pytest.mark.parametrize("is_in_request", [False, True])
def test_who_waits_for_no_response_starts_the_held_task_of_its_key(orders: Orders, is_in_request: bool) -> None:
    one = orders.begin("one")
    if is_in_request:
        two = orders.begin("two", "?eager=1")
        orders.end("two", 500)
        assert two.result(PATIENCE) == 500
    else:
        orders.site.ids.append(orders.site.manager.add_task(orders.charge, idempotency_key="order-1"))
    orders.end("one", 500)
    assert one.result(PATIENCE) == 500
    assert_charged_once(orders)


def test_very_many_may_wait_for_one_task() -> None:
    told: list[int] = []
    manager = TaskManager(store="memory", max_sync_threads=1)
    go_on = threading.Event()
    manager.add_task(go_on.wait, PATIENCE)
    added = manager.add_task(told.append, -1)
    live = manager.runtime.engine.get(added)
    assert live is not None
    for number in range(3000):
        manager.runtime.engine.when_done(live, partial(told.append, number))
    go_on.set()
    assert manager.drain(PATIENCE)
    assert told == [-1, *range(3000)]
    manager.stop()
