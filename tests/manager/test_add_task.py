"""add_task: what is kept, what is refused, which id comes back."""

from __future__ import annotations

import functools
import gc
import logging
import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import BaseModel

from otel_taskflow.errors import ConfigurationError, ManagerClosedError, TaskArgumentError
from otel_taskflow.manager import TaskManager
from otel_taskflow.model import TaskStatus
from otel_taskflow.stores.sqlite.store import SqliteStore


class Order(BaseModel):
    order_id: str


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[TaskManager]:
    manager = TaskManager(dir=str(tmp_path / "state"), shutdown_grace=0.2)
    yield manager
    manager.stop()


def row_of(manager: TaskManager, task_id: str):  # type: ignore[no-untyped-def]
    manager.runtime.tailer.flush()
    return manager.runtime.store.writer.load_tasks([task_id])[task_id]


def test_arguments_are_kept_by_their_annotations(manager: TaskManager) -> None:
    got: list[Order] = []

    @manager.task
    def fulfil(order: Order, count: int = 1) -> None:
        got.append(order)

    order = Order(order_id="A1")
    task_id = manager.add_task(fulfil, order, count=2, tags={"customer": "7"})
    assert manager.drain()
    assert got[0] is order
    row = row_of(manager, task_id)
    assert row.args == '{"args":[{"order_id":"A1"}],"kwargs":{"count":2}}'
    assert row.tags == {"customer": "7"}


def test_what_cannot_be_kept_runs_all_the_same_and_warns_once(
    manager: TaskManager, caplog: pytest.LogCaptureFixture
) -> None:
    @manager.task
    def uses(lock: object) -> None: ...

    with caplog.at_level(logging.WARNING, "otel_taskflow"):
        ids = [manager.add_task(uses, threading.Lock()) for _ in range(3)]
    assert manager.drain()
    assert [row_of(manager, task_id).args for task_id in ids] == [None] * 3
    assert row_of(manager, ids[0]).status is TaskStatus.SUCCESS
    assert len([record for record in caplog.records if "can be neither recovered nor retried" in record.message]) == 1


def takes_lock(lock: object) -> None:
    """A task."""


def test_strict_args_refuse_what_cannot_be_kept(tmp_path: Path) -> None:
    manager = TaskManager(dir=str(tmp_path / "state"), strict_args=True)
    try:
        with pytest.raises(TaskArgumentError, match="lock"):
            manager.add_task(manager.task(takes_lock), threading.Lock())
        with pytest.raises(TaskArgumentError, match="is a closure, a lambda"):
            manager.add_task(lambda: None)
    finally:
        manager.stop()


@pytest.mark.parametrize("letter", ["x", '"', "\x01", "\u20ac"])
def test_arguments_of_any_size_run_here_and_are_kept_as_far_as_a_record_holds_them(
    tmp_path: Path, letter: str, caplog: pytest.LogCaptureFixture
) -> None:
    taken: list[int] = []

    def upload(text: str) -> None:
        taken.append(len(text))

    manager = TaskManager(dir=str(tmp_path / "state"))
    try:
        task = manager.task(upload)
        sizes = [100_000, 1_500_000, 13_000_000]
        ids = [manager.add_task(task, letter * size) for size in sizes]
        assert manager.drain()
        assert sorted(taken) == sizes
        assert [row_of(manager, task_id).args is not None for task_id in ids] == [True, True, False]
        assert "pass what names the data, such as a path or a key" in caplog.text
    finally:
        manager.stop()


def test_a_call_that_does_not_fit_the_function_is_refused_at_once(manager: TaskManager) -> None:
    def needs_one(value: int) -> None: ...

    with pytest.raises(TypeError):
        manager.add_task(needs_one)
    with pytest.raises(TypeError):
        manager.add_task(needs_one, 1, 2)


def test_the_same_idempotency_key_gives_the_same_task(manager: TaskManager) -> None:
    runs: list[int] = []

    def once() -> None:
        runs.append(1)

    first = manager.add_task(once, idempotency_key="k")
    assert manager.add_task(once, idempotency_key="k") == first
    assert manager.drain()
    assert manager.add_task(once, idempotency_key="k") == first
    assert manager.add_task(once, idempotency_key="other") != first
    assert manager.drain()
    assert runs == [1, 1]


def test_the_key_of_a_failed_task_is_free_again(manager: TaskManager) -> None:
    def fails() -> None:
        raise ValueError

    first = manager.add_task(fails, idempotency_key="k")
    assert manager.drain()
    assert manager.add_task(fails, idempotency_key="k") != first


def test_options_of_the_wrong_type_are_refused(manager: TaskManager) -> None:
    with pytest.raises(ConfigurationError, match="idempotency_key=''"):
        manager.add_task(print, idempotency_key="")
    with pytest.raises(ConfigurationError, match="tags="):
        manager.add_task(print, tags=["x"])  # type: ignore[arg-type]


def test_a_closed_manager_takes_no_more_tasks(manager: TaskManager) -> None:
    manager.start()
    manager.close()
    with pytest.raises(ManagerClosedError, match="has been shut down"):
        manager.add_task(print)


def test_a_mistake_in_a_store_of_ones_own_is_shown_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def open_without_pool() -> None:
        raise AttributeError("there is no pool")

    store = SqliteStore(tmp_path / "mine.db")
    monkeypatch.setattr(store.writer, "open", open_without_pool)
    with pytest.raises(AttributeError, match="there is no pool"):
        TaskManager(store=store, dir=tmp_path / "state").add_task(print)


def test_a_stopped_manager_leaves_no_journal_and_starts_again(manager: TaskManager, tmp_path: Path) -> None:
    task_id = manager.add_task(lambda: None)
    manager.drain()
    manager.stop()
    assert list((tmp_path / "state" / "journal").iterdir()) == []
    manager.start()
    assert row_of(manager, task_id).status is TaskStatus.SUCCESS


def test_a_disabled_manager_calls_the_function_and_keeps_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TASKFLOW_DISABLED", "1")
    manager = TaskManager(dir=str(tmp_path / "state"))
    ran = threading.Event()

    async def work() -> None:
        ran.set()

    assert manager.add_task(work)
    assert ran.wait(5)
    assert not (tmp_path / "state").exists()


def test_an_unusable_folder_stops_the_start_or_degrades_as_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from otel_taskflow.errors import JournalError

    (tmp_path / "state").write_text("in the way")
    with pytest.raises(JournalError, match="choose another"):
        TaskManager(dir=str(tmp_path / "state")).start()
    manager = TaskManager(dir=str(tmp_path / "state"), on_store_error="degrade")
    try:
        task_id = manager.add_task(lambda: None)
        assert manager.drain()
        assert row_of(manager, task_id).status is TaskStatus.SUCCESS
        assert "in memory only" in caplog.text
    finally:
        manager.stop()


class Service:
    """Something that a request makes, and whose end can be seen."""

    def send(self, address: str = "nobody") -> None: ...

    def fail(self, address: str = "nobody") -> None:
        raise ValueError(address)

    def __call__(self, address: str = "nobody") -> None: ...


@dataclass
class Letter:
    service: Service

    def __call__(self, address: str = "nobody") -> None: ...


def serve(service: Service, address: str = "nobody") -> None: ...


@pytest.mark.parametrize(
    "of",
    [
        lambda service: service.send,
        lambda service: service.fail,
        lambda service: service,
        Letter,
        lambda service: functools.partial(serve, service),
        lambda service: lambda address="nobody": serve(service, address),
        lambda service: lambda address=service: None,
    ],
    ids=["method", "failing method", "object", "not hashable", "partial", "closure", "default"],
)
@pytest.mark.parametrize("key", [None, "k"])
def test_what_a_function_is_bound_to_goes_when_its_tasks_have_ended(
    manager: TaskManager,
    caplog: pytest.LogCaptureFixture,
    of: Callable[[Service], Callable[..., None]],
    key: str | None,
) -> None:
    caplog.set_level(logging.CRITICAL, "otel_taskflow")  # pytest keeps log records, and they tracebacks
    services = [Service() for _ in range(20)]
    gone = [weakref.ref(service) for service in services]
    while services:
        manager.add_task(of(services.pop()), "ada", idempotency_key=key and f"{key}{len(services)}")
    assert manager.drain(10)
    manager.add_task(serve, None)  # what a thread ran last it lets go at the next call
    assert manager.drain(10)
    gc.collect()
    assert sum(each() is not None for each in gone) <= 1


def test_a_call_that_does_not_fit_what_another_process_cannot_find_is_refused_too(manager: TaskManager) -> None:
    for func in (
        Service().send,
        Service(),
        Letter(Service()),
        functools.partial(serve, Service()),
        lambda address="nobody": None,
    ):
        with pytest.raises(TypeError, match="too many positional"):
            manager.add_task(func, "ada", "bob")


def test_functions_of_one_code_are_told_apart_by_what_has_a_default(manager: TaskManager) -> None:
    def of(*defaults: str) -> Callable[..., None]:
        def send(address: str, copy: str) -> None: ...

        send.__defaults__ = defaults
        return send

    for optional, needed in ((of("nobody"), of()), (of("nobody", "nobody"), of("nobody"))):
        least = () if optional.__defaults__ == ("nobody", "nobody") else ("ada",)
        manager.add_task(optional, *least)
        with pytest.raises(TypeError, match="missing a required argument"):
            manager.add_task(needed, *least)
