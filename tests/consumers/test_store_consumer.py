"""Slices become rows; what a store refuses is narrowed down to the event."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

import pytest

from otel_taskflow.consumers.store import StoreConsumer
from otel_taskflow.errors import StoreError
from otel_taskflow.events import (
    AttemptEnded,
    AttemptStarted,
    Event,
    TaskEnqueued,
    TaskLogged,
    TaskReleased,
    TaskSettled,
)
from otel_taskflow.model import AttemptOutcome, SpanIdentity, TaskStatus
from otel_taskflow.ports import JournalHeader, JournalSlice, StoreWrite
from otel_taskflow.stores.opening import open_store

HEADER = JournalHeader("default-1", 1, 1, "h", "b", "w")
SPAN = SpanIdentity("1" * 32, "2" * 16)


def enqueued(task_id: str = "t", time: int = 1) -> TaskEnqueued:
    return TaskEnqueued(task_id, time, "f", None, {}, None, "manual", True, SPAN, {}, 1, "thread")


def piece(first: int, *events: Event) -> JournalSlice:
    numbered = list(enumerate(events, start=first))
    return JournalSlice(HEADER, first, numbered[-1][0], numbered)


def whole_life(task_id: str = "t") -> list[Event]:
    return [
        enqueued(task_id),
        TaskReleased(task_id, 2),
        AttemptStarted(task_id, 3, 0, SPAN, "w", 1),
        TaskLogged(task_id, 4, 0, 1, "info", "one", {"k": 1}),
        TaskLogged(task_id, 5, 0, 2, "error", "two", {}),
        AttemptEnded(task_id, 6, 0, 3, AttemptOutcome.SUCCEEDED, TaskStatus.SUCCESS, None, None, None, 2),
    ]


class Store:
    """A real store in memory, whose ``write`` refuses or is unavailable when told."""

    def __init__(self) -> None:
        whole = open_store("memory", None)
        self.inner, self.reader = whole.writer, whole.reader
        self.inner.open()
        self.refuses: str | None = None
        self.is_down = False
        self.is_down_at: int | None = None

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    def write(self, write: StoreWrite) -> int:
        if self.is_down:
            raise StoreError("down")
        if any(row.message == self.refuses for row in write.logs):
            raise ValueError("refused")
        if write.offset == self.is_down_at:
            raise StoreError("down")
        return self.inner.write(write)


@pytest.fixture
def store() -> Iterator[Store]:
    store = Store()
    yield store
    store.inner.close()


@pytest.mark.parametrize("at", range(1, 6))
def test_a_task_is_the_same_however_its_events_are_sliced(store: Store, at: int) -> None:
    consumer = StoreConsumer(store, HEADER.journal_id)  # type: ignore[arg-type]
    events = whole_life()
    consumer.consume(piece(1, *events[:at]))
    consumer.consume(piece(at + 1, *events[at:]))
    task = store.inner.load_tasks(["t"])["t"]
    attempt = store.inner.load_attempt("t", 0)
    assert (task.status, task.attempts, task.log_count, task.held) == (TaskStatus.SUCCESS, 1, 2, False)
    assert (task.released_at, task.started_at, task.ended_at) == (2, 3, 6)
    assert attempt is not None
    assert (attempt.log_count, attempt.duration, attempt.outcome) == (2, 3, AttemptOutcome.SUCCEEDED)
    assert store.inner.offset(HEADER.journal_id) == 6


@pytest.mark.parametrize("at", range(1, 6))
def test_a_successor_goes_on_where_a_dead_process_stopped_writing(store: Store, at: int) -> None:
    events = whole_life()
    StoreConsumer(store, HEADER.journal_id).consume(piece(1, *events[:at]))  # type: ignore[arg-type]
    StoreConsumer(store, HEADER.journal_id).consume(piece(at + 1, *events[at:]))  # type: ignore[arg-type]
    task = store.inner.load_tasks(["t"])["t"]
    assert (task.status, task.log_count) == (TaskStatus.SUCCESS, 2)


def test_a_slice_that_comes_again_changes_nothing(store: Store) -> None:
    events = whole_life()
    for _ in range(2):
        StoreConsumer(store, HEADER.journal_id).consume(piece(1, *events))  # type: ignore[arg-type]
    assert store.inner.usage().logs == 2


@pytest.mark.failure("S9")
def test_one_refused_event_of_many_is_left_out_alone(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    store.refuses = "poison"
    consumer = StoreConsumer(store, HEADER.journal_id)  # type: ignore[arg-type]
    lines = [TaskLogged("t", 4, 0, n, "info", "poison" if n == 137 else f"line {n}", {}) for n in range(1, 501)]
    with caplog.at_level(logging.ERROR, "otel_taskflow"):
        consumer.consume(piece(1, enqueued(), *lines))
    assert store.inner.usage().logs == 499
    assert consumer.quarantined == {"TaskLogged": 1}
    assert "refuses event 138" in caplog.text
    assert store.inner.load_tasks(["t"])["t"].log_count == 499


def test_an_unavailable_store_gets_everything_once_when_it_is_back(store: Store) -> None:
    consumer = StoreConsumer(store, HEADER.journal_id)  # type: ignore[arg-type]
    events = whole_life()
    consumer.consume(piece(1, *events[:3]))
    store.is_down = True
    with pytest.raises(StoreError):
        consumer.consume(piece(4, *events[3:]))
    store.is_down = False
    consumer.consume(piece(4, *events[3:]))
    task = store.inner.load_tasks(["t"])["t"]
    assert (task.status, task.log_count) == (TaskStatus.SUCCESS, 2)


@pytest.mark.parametrize("takes_all_when_it_is_back", [False, True])
@pytest.mark.parametrize("down_at", [7, 8, 11])
def test_what_was_written_before_the_store_went_away_is_not_counted_twice(
    store: Store, down_at: int, takes_all_when_it_is_back: bool
) -> None:
    """The slice is narrowed down for a poisoned line when the store goes away in the middle of it."""
    consumer = StoreConsumer(store, HEADER.journal_id)  # type: ignore[arg-type]
    consumer.consume(piece(1, *whole_life("t")[:3]))
    lines = [TaskLogged("t", 4, 0, n, "info", "poison" if n == 5 else "line", {}) for n in range(1, 7)]
    whole = piece(4, enqueued("u"), *lines, TaskSettled("u", 9, TaskStatus.CANCELLED, "user"))
    store.refuses, store.is_down_at = "poison", down_at
    with pytest.raises(StoreError):
        consumer.consume(whole)
    store.is_down_at = None
    if takes_all_when_it_is_back:
        store.refuses = None
    consumer.consume(whole)
    left_out = consumer.quarantined["TaskLogged"]
    assert left_out == (0 if takes_all_when_it_is_back and down_at < 11 else 1)
    assert store.inner.usage().logs == 6 - left_out
    assert store.inner.load_tasks(["t"])["t"].log_count == 6 - left_out
    [figures] = asyncio.run(store.reader().rollups(0))
    assert (figures.enqueued, figures.cancelled) == (2, 1)


def test_events_that_cannot_be_read_move_the_offset_too(store: Store) -> None:
    consumer = StoreConsumer(store, HEADER.journal_id)  # type: ignore[arg-type]
    consumer.consume(JournalSlice(HEADER, 1, 3, []))
    assert store.inner.offset(HEADER.journal_id) == 3


def test_a_late_line_is_kept_and_counted_after_its_task_has_ended(store: Store) -> None:
    consumer = StoreConsumer(store, HEADER.journal_id)  # type: ignore[arg-type]
    consumer.consume(piece(1, *whole_life()))
    consumer.consume(piece(7, TaskLogged("t", 9, 0, 3, "info", "late", {}, None, True)))
    assert store.inner.usage().logs == 3
    task = store.inner.load_tasks(["t"])["t"]
    assert (task.status, task.log_count) == (TaskStatus.SUCCESS, 3)
