"""A store that lost what was written to it: the consumer writes again what the journal has, and what it knows itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from otel_taskflow.consumers.slices import part_after, part_until
from otel_taskflow.consumers.store import StoreConsumer
from otel_taskflow.errors import StoreReplacedError
from otel_taskflow.events import AttemptStarted, Event, TaskLogged
from otel_taskflow.model import TaskStatus
from otel_taskflow.ports import JournalSlice, StoreWrite
from otel_taskflow.stores.sqlite.file_writer import SqliteWriter
from otel_taskflow.stores.sqlite.store import SqliteStore
from tests.consumers.test_store_consumer import HEADER, SPAN, enqueued, piece, whole_life


class Journal:
    """Slices that were consumed; ``first`` is the first event that is kept."""

    def __init__(self) -> None:
        self.events: list[tuple[int, Event]] = []
        self.first = 1

    def add(self, *events: Event) -> JournalSlice:
        added = piece(len(self.events) + 1, *events)
        self.events += added.events
        return added

    def earlier(self, after: int, upto: int) -> Iterator[JournalSlice]:
        kept = [each for each in self.events if each[0] >= self.first and each[0] > after]
        if kept and kept[0][0] <= upto:
            whole = JournalSlice(HEADER, after + 1, kept[-1][0], kept)
            middle = (after + upto) // 2
            if kept[0][0] <= middle:
                yield part_until(whole, middle)
                yield part_until(part_after(whole, middle), upto)
            else:
                yield part_until(whole, upto)


class Refusing(SqliteWriter):
    refuses: str | None = None

    def write(self, write: StoreWrite) -> int:
        if any(row.message == self.refuses for row in write.logs):
            raise ValueError("refused")
        return super().write(write)


@pytest.fixture
def journal() -> Journal:
    return Journal()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tasks.db"


@pytest.fixture
def writer(path: Path) -> Iterator[Refusing]:
    writer = Refusing(path)
    writer.open()
    yield writer
    writer.close()


def consumer_of(writer: SqliteWriter, journal: Journal) -> StoreConsumer:
    return StoreConsumer(writer, HEADER.journal_id, earlier=journal.earlier)


def running(task_id: str) -> Sequence[Event]:
    return [enqueued(task_id), AttemptStarted(task_id, 3, 0, SPAN, "w", 1)]


def lines(path: Path, task_id: str) -> list[str]:
    from otel_taskflow.testing.store_rows import ask

    return [row.message for row in ask(SqliteStore(path), lambda reader: reader.get_logs(task_id))]


def test_all_that_the_journal_has_is_written_again_before_the_next_slice(
    path: Path, writer: Refusing, journal: Journal
) -> None:
    consumer = consumer_of(writer, journal)
    consumer.consume(journal.add(*whole_life("a"), *running("b")))
    path.unlink()
    following = journal.add(TaskLogged("b", 9, 0, 1, "info", "of b", {}))
    with pytest.raises(StoreReplacedError):
        consumer.consume(following)
    consumer.consume(following)
    rows = writer.load_tasks(["a", "b"])
    assert [rows[each].status for each in "ab"] == [TaskStatus.SUCCESS, TaskStatus.RUNNING]
    assert [rows[each].log_count for each in "ab"] == [2, 1]
    assert (lines(path, "a"), lines(path, "b")) == (["one", "two"], ["of b"])
    assert (writer.offset(HEADER.journal_id), consumer.unrestored) == (9, 0)


def test_it_is_seen_when_there_is_nothing_to_write_too(path: Path, writer: Refusing, journal: Journal) -> None:
    consumer = consumer_of(writer, journal)
    consumer.restore()
    consumer.consume(journal.add(*whole_life("a"), *running("b")))
    consumer.restore()
    path.unlink()
    consumer.restore()
    assert writer.load_tasks(["a", "b"]).keys() == {"a", "b"}
    assert lines(path, "a") == ["one", "two"]
    consumer.restore()
    assert (writer.usage().logs, consumer.unrestored) == (2, 0)


@pytest.mark.parametrize("first", [3, 8, 100])
def test_what_the_journal_has_not_is_counted_once_and_unfinished_tasks_are_known_anyway(
    path: Path, writer: Refusing, journal: Journal, first: int
) -> None:
    consumer = consumer_of(writer, journal)
    consumer.consume(journal.add(*whole_life("a"), *running("b")))
    path.unlink()
    journal.first = first
    for _ in range(3):
        consumer.restore()
    consumer.consume(journal.add(TaskLogged("b", 9, 0, 1, "info", "of b", {})))
    rows = writer.load_tasks(["a", "b"])
    assert {each: row.status for each, row in rows.items()} == {"b": TaskStatus.RUNNING}
    attempt = writer.load_attempt("b", 0)
    assert attempt is not None
    assert attempt.log_count == 1
    assert consumer.unrestored == min(first - 1, 8)


def test_what_was_refused_is_left_out_again_and_counted_once(path: Path, writer: Refusing, journal: Journal) -> None:
    writer.refuses = "one"
    consumer = consumer_of(writer, journal)
    consumer.consume(journal.add(*whole_life("a"), *running("b")))
    path.unlink()
    consumer.restore()
    assert lines(path, "a") == ["two"]
    assert writer.load_tasks(["a", "b"]).keys() == {"a", "b"}
    assert consumer.quarantined == {"TaskLogged": 1}


def test_a_store_that_is_lost_again_meanwhile_is_filled_again(path: Path, writer: Refusing, journal: Journal) -> None:
    consumer = consumer_of(writer, journal)
    consumer.consume(journal.add(*whole_life("a"), *running("b")))
    earlier = journal.earlier

    def lost_in_the_middle(after: int, upto: int) -> Iterator[JournalSlice]:
        for number, each in enumerate(earlier(after, upto)):
            if number:
                path.unlink()
            yield each

    path.unlink()
    consumer._earlier = lost_in_the_middle
    with pytest.raises(StoreReplacedError):
        consumer.restore()
    consumer._earlier = earlier
    consumer.restore()
    assert writer.load_tasks(["a", "b"]).keys() == {"a", "b"}
    assert (lines(path, "a"), consumer.unrestored) == (["one", "two"], 0)


class Overtaken(SqliteWriter):
    """Between its answer and the next line of whoever asked, somebody else writes on."""

    meanwhile: Callable[[], None] = staticmethod(lambda: None)

    def offset(self, journal_id: str) -> int:
        found = super().offset(journal_id)
        self.meanwhile()
        return found


def test_a_store_that_somebody_else_writes_on_meanwhile_was_not_replaced(path: Path, journal: Journal) -> None:
    writer = Overtaken(path)
    writer.open()
    consumer = consumer_of(writer, journal)
    consumer.consume(journal.add(*running("task-1")))
    recalled: list[bool] = []
    lent = consumer.lend(lambda: recalled.append(True))
    writer.meanwhile = lambda: consumer.written_elsewhere(lent.after + 1)
    consumer.restore()
    assert not recalled
    writer.meanwhile = lambda: None
    consumer.restore()  # what was told to be written is not there
    assert recalled
    writer.close()
