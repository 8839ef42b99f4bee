"""What is true of the SQLite store only: space, feed, search, values."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from otel_taskflow.errors import StoreError
from otel_taskflow.model import LogRow, TaskFilter
from otel_taskflow.ports import StoreWrite
from otel_taskflow.stores.memory import MemoryStore
from otel_taskflow.stores.sqlite.store import SqliteStore
from otel_taskflow.stores.sqlite.writer import FEED_LENGTH
from otel_taskflow.testing.store_rows import START, ask, make_finished_task, make_line, make_lines, make_task
from tests.stores.conftest import sql


def test_pruning_gives_the_space_back(path: Path) -> None:
    store = SqliteStore(path)
    store.writer.open()
    for number in range(20):
        task = make_finished_task(f"task-{number}", START + number)
        lines = [make_line(task.task_id, seq, message=f"word{seq} {'x' * 200}") for seq in range(500)]
        store.writer.write(StoreWrite("journal-a", number + 1, [task], (), lines))
    full = store.writer.usage().bytes
    while store.writer.prune(START + 100, 2**62, limit=5):
        pass
    assert store.writer.usage().bytes < full / 10
    store.writer.close()
    assert path.stat().st_size < full / 10
    assert sql(path, "INSERT INTO log_fts (log_fts) VALUES ('integrity-check')") == []


def test_the_feed_is_trimmed_and_says_from_where_it_is_whole(path: Path) -> None:
    store = SqliteStore(path)
    store.writer.open()
    rows = [make_task(f"task-{number}") for number in range(FEED_LENGTH // 4)]
    for offset in range(1, 7):
        store.writer.write(StoreWrite("journal-a", offset, rows))
    store.writer.maintain()
    first, last = ask(store, lambda reader: reader.first_change()), ask(store, lambda reader: reader.last_change())
    entries = ask(store, lambda reader: reader.changes(first - 1, limit=2**31))
    assert last - first + 1 == FEED_LENGTH == len(entries)
    assert entries[0].seq == first
    store.writer.close()


@pytest.mark.parametrize("kind", ["file", "memory"])
def test_lines_are_found_by_words_and_extras(path: Path, kind: str) -> None:
    store = SqliteStore(path) if kind == "file" else MemoryStore()
    store.writer.open()
    lines = [
        make_line(seq=1, message="payment failed for the user", extra={"order_id": 42, "note": 'a "b" c'}),
        make_line(seq=2, message="payment done", extra={"order_id": 421, "order": "id 42"}),
        make_line(seq=3, message="nothing", extra={"order_id": "42"}),
        make_line(seq=4, message="cut\0off - half of a \\ud800", extra={"-": "+", "note": "x\0y"}),
    ]
    store.writer.write(StoreWrite("journal-a", 1, [make_task()], (), lines))

    def find(text: str = "", **extra: str | int | float) -> list[int]:
        async def search() -> list[LogRow]:
            reader = store.reader()
            try:
                return list(await reader.search_logs(text, extra))
            finally:
                await reader.aclose()

        return [line.seq for line in asyncio.run(search())]

    assert find("payment") == [2, 1]
    assert find("PAYMENT failed") == [1]
    assert find(order_id=42) == [3, 1]
    assert find("payment", order_id=42) == [1]
    assert find(note='a "b" c') == [1]
    assert find('" OR *') == []
    assert find() == []
    assert find("payment - failed!") == find("payment failed") == [1]
    assert find("-") == find("\0") == find('"') == find(**{"-": "+"}) == []
    assert find("cut\0off") == find("off\0") == find("half of a \ud800") == find(note="x\0y") == [4]
    store.writer.close()


def test_a_reader_of_a_file_that_is_not_there_says_so(path: Path) -> None:
    with pytest.raises(StoreError, match="is not there"):
        ask(SqliteStore(path), lambda reader: reader.list_tasks(TaskFilter(), 1))
    assert not path.exists()


def test_a_value_that_cannot_be_stored_is_refused_as_data(path: Path) -> None:
    store = SqliteStore(path)
    store.writer.open()
    for line in (
        make_line(message="\ud800"),
        make_line(time=2**70),
        make_line(message=object()),
        make_line(message=None),
    ):
        with pytest.raises(ValueError, match="cannot be stored"):
            store.writer.write(StoreWrite("journal-a", 1, [make_task()], (), [line]))
    assert store.writer.usage()[:2] == (0, 0)
    store.writer.write(StoreWrite("journal-a", 1, [make_task()], (), make_lines("task-1", 1, 2)))
    store.writer.close()


def test_what_json_does_not_know_becomes_null(path: Path) -> None:
    store = SqliteStore(path)
    store.writer.open()
    extra = {"nan": float("nan"), "deep": [{"inf": float("-inf")}], "fine": 1.5}
    store.writer.write(StoreWrite("journal-a", 1, [make_task()], (), [make_line(extra=extra)]))
    (line,) = ask(store, lambda reader: reader.get_logs("task-1"))
    assert line.extra == {"nan": None, "deep": [{"inf": None}], "fine": 1.5}
    assert sql(path, "SELECT min(json_valid(extra)) FROM logs") == [(1,)]
    store.writer.close()
