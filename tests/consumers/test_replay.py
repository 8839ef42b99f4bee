"""A dead journal becomes the same rows as a live one, wherever its replay was broken off."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from otel_taskflow.consumers import slices
from otel_taskflow.consumers.replay import forget, replay_lines, replay_states, replay_to
from otel_taskflow.consumers.slices import Decoder
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
from otel_taskflow.journal.codec import encode, encode_log, log_prefix
from otel_taskflow.journal.folder import Orphan, orphans
from otel_taskflow.model import AttemptOutcome, SpanIdentity, TaskStatus
from otel_taskflow.ports import JournalSlice, Store, StoreWrite, StoreWriter
from otel_taskflow.stores.memory import MemoryStore
from otel_taskflow.testing.store_rows import ask
from tests.journal.support import make_writer

SPAN = SpanIdentity("1" * 32, "2" * 16)
MINUTE = 60_000_000_000


def enqueued(task_id: str, time: int) -> TaskEnqueued:
    return TaskEnqueued(task_id, time, "f", None, {"a": "b"}, None, "manual", True, SPAN, {}, 3, "thread")


def ended(task_id: str, time: int, attempt: int, outcome: AttemptOutcome, lines: int) -> AttemptEnded:
    status = TaskStatus.RUNNING if outcome is AttemptOutcome.RETRYING else TaskStatus.SUCCESS
    waiting = time + 5 if outcome is AttemptOutcome.RETRYING else None
    return AttemptEnded(task_id, time, attempt, 3, outcome, status, None, waiting, None, lines)


def life(task_id: str, time: int) -> Iterator[Event | bytes]:
    """A task with a retry, plain and careful lines; its last line comes late."""
    yield enqueued(task_id, time)
    yield TaskReleased(task_id, time + 1)
    for attempt in (0, 1):
        yield AttemptStarted(task_id, time + 2, attempt, SPAN, "w", 1)
        prefix = log_prefix(task_id, attempt)
        yield encode_log(prefix, time + 3, 3 * attempt + 1, "info", 'a "message", with commas', {"key": [1, "x"]})
        yield TaskLogged(task_id, time + 4, attempt, 3 * attempt + 2, "error", "careful", {}, "urllib3")
        outcome = AttemptOutcome.SUCCEEDED if attempt else AttemptOutcome.RETRYING
        yield ended(task_id, time + 5, attempt, outcome, 2)


def events() -> list[bytes]:
    """Tasks that came and went, one that was cancelled, one that waits, one that runs."""
    found: list[Event | bytes] = []
    for number in range(4):
        found += life(f"whole-{number}", number * MINUTE)
    found += [enqueued("cancelled", 1), TaskSettled("cancelled", 2, TaskStatus.CANCELLED, "user")]
    found += list(life("waits", 1))[:6]
    found += list(life("runs", 1))[:-1]
    found.append(encode_log(log_prefix("nobody knows it", 0), 1, 1, "info", "a line", {}))
    return [each if isinstance(each, bytes) else encode(each) for each in found]


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "SLICE", 5)
    monkeypatch.setattr(slices, "LINES_AT_ONCE", 8)


@pytest.fixture
def orphan(tmp_path: Path) -> Iterator[Orphan]:
    writer = make_writer(tmp_path)
    for payload in events():
        writer.append(payload)
    writer.close()
    [orphan] = orphans(tmp_path, "default")
    yield orphan
    orphan.close()


_opened: list[Store] = []


@pytest.fixture(autouse=True)
def close_stores() -> Iterator[None]:
    yield
    while _opened:
        _opened.pop().writer.close()


def new_store() -> Store:
    store = MemoryStore()
    store.writer.open()
    _opened.append(store)
    return store


def content(store: Store) -> dict[str, Any]:
    ids = [*(f"whole-{number}" for number in range(4)), "cancelled", "waits", "runs"]
    return {
        "details": [ask(store, lambda reader, task_id=task_id: reader.get_task(task_id)) for task_id in ids],
        "lines": [ask(store, lambda reader, task_id=task_id: reader.get_logs(task_id)) for task_id in ids],
        "rollups": ask(store, lambda reader: reader.rollups(0)),
        "counts": ask(store, lambda reader: reader.count_by_status()),
        "usage": store.writer.usage()[:2],
    }


def as_live(orphan: Orphan, upto: int | None = None) -> Store:
    """What the living process would have written, or has written until it died."""
    store = new_store()
    consumer = StoreConsumer(store.writer, orphan.journal_id)
    records = list(orphan.reader.records())[:upto]
    for piece in Decoder().slices_of(orphan.header, records, 0):
        consumer.consume(piece)
    return store


def replayed(orphan: Orphan, writer: StoreWriter) -> None:
    for _ in replay_states(orphan, writer, Decoder()):
        pass
    for _ in replay_lines(orphan, writer, Decoder()):
        pass


def test_it_becomes_the_same_rows_as_a_live_one(orphan: Orphan) -> None:
    store = new_store()
    replayed(orphan, store.writer)
    expected = content(as_live(orphan))
    assert content(store) == expected
    assert expected["usage"] == (7, 23)
    assert {detail.task.log_count for detail in expected["details"][:4]} == {4}


@pytest.mark.parametrize("upto", range(0, 40, 3))
def test_it_goes_on_where_the_living_process_stopped(orphan: Orphan, upto: int) -> None:
    store = as_live(orphan, upto)
    replayed(orphan, store.writer)
    assert content(store) == content(as_live(orphan))


@pytest.mark.parametrize("states", range(9))
@pytest.mark.parametrize("lines", [0, 1, 3])
def test_it_may_be_broken_off_anywhere(orphan: Orphan, states: int, lines: int) -> None:
    store = new_store()
    for _ in islice(replay_states(orphan, store.writer, Decoder()), states):
        pass
    for _ in replay_states(orphan, store.writer, Decoder()):
        pass
    for _ in islice(replay_lines(orphan, store.writer, Decoder()), lines):
        pass
    replayed(orphan, store.writer)
    replayed(orphan, store.writer)
    assert content(store) == content(as_live(orphan))


def test_the_first_pass_is_quick_and_tells_all_but_the_lines(orphan: Orphan) -> None:
    store, expected = new_store(), as_live(orphan)
    for _ in replay_states(orphan, store.writer, Decoder()):
        pass
    found = content(store)
    assert found["lines"] == [[]] * 7
    assert {**found, "lines": 0, "usage": 0} == {**content(expected), "lines": 0, "usage": 0}


def test_no_line_touches_the_row_of_a_task_that_somebody_has_taken_over(orphan: Orphan) -> None:
    store = new_store()
    for _ in replay_states(orphan, store.writer, Decoder()):
        pass
    assert {task.task_id for task in store.writer.claim(orphan.journal_id, "another", idle_only=True)} == {"waits"}
    [waits] = store.writer.load_tasks(["waits"]).values()
    changed = waits._replace(status=TaskStatus.SUCCESS, waiting_until=None, log_count=99)
    store.writer.write(StoreWrite("another", 1, [changed]))
    for _ in replay_lines(orphan, store.writer, Decoder()):
        pass
    assert store.writer.load_tasks(["waits"])["waits"] == changed
    assert len(ask(store, lambda reader: reader.get_logs("waits"))) == 2


def test_its_offsets_are_forgotten_with_it(orphan: Orphan) -> None:
    store = new_store()
    replayed(orphan, store.writer)
    assert store.writer.offset(orphan.journal_id) > 0
    forget(orphan, store.writer)
    assert store.writer.offset(orphan.journal_id) == store.writer.offset(f"{orphan.journal_id}#states") == 0


def test_an_observer_is_told_from_where_it_left_off(orphan: Orphan) -> None:
    class Observer:
        def __init__(self) -> None:
            self.seen: list[int] = []

        def seen_of(self, journal_id: str) -> int:
            assert journal_id == orphan.journal_id
            return 7

        def consume(self, piece: JournalSlice) -> None:
            assert not piece.live
            self.seen += [seq for seq, _ in piece.events]

    observer = Observer()
    reached = list(replay_to(observer, orphan, Decoder()))
    assert observer.seen == list(range(8, len(events()) + 1))
    assert reached == sorted(reached)
    assert reached[-1] == len(events())


class Refusing:
    """A real store that refuses some rows."""

    def __init__(self, inner: StoreWriter, refused: str, error: Exception) -> None:
        self._inner = inner
        self._refused = refused
        self._error = error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def write(self, write: StoreWrite) -> int:
        if self._refused in {row.task_id for row in self._rows(write)}:
            raise self._error
        return self._inner.write(write)

    @staticmethod
    def _rows(write: StoreWrite) -> Sequence[Any]:
        return [*write.tasks, *write.logs]


def test_what_the_store_refuses_is_left_out_and_the_rest_is_written(orphan: Orphan) -> None:
    store, expected = new_store(), content(as_live(orphan))
    refusing: Any = Refusing(store.writer, "whole-2", ValueError("refused"))
    replayed(orphan, refusing)
    found = content(store)
    assert found["details"][2] is None
    assert [each for each in found["details"] if each] == [
        each for at, each in enumerate(expected["details"]) if at != 2
    ]
    assert found["lines"][:2] + found["lines"][3:] == expected["lines"][:2] + expected["lines"][3:]


def test_a_store_that_is_down_ends_the_replay_for_now(orphan: Orphan) -> None:
    store = new_store()
    down: Any = Refusing(store.writer, "whole-2", StoreError("down"))
    with pytest.raises(StoreError):
        replayed(orphan, down)
    replayed(orphan, store.writer)
    assert content(store) == content(as_live(orphan))
