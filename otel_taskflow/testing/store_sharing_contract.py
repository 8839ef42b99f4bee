"""Contract of a store: what several threads, and several processes, do to it at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

import pytest

from otel_taskflow.model import TaskFilter
from otel_taskflow.ports import Store, StoreReader, StoreWrite, StoreWriter
from otel_taskflow.testing.store_rows import START, ask, make_attempt, make_line, make_lines, make_task

T = TypeVar("T")


def _at_once(calls: list[Callable[[], T]]) -> list[T]:
    """The results of these calls, each on a thread of its own, begun together."""
    barrier = Barrier(len(calls))

    def begin(call: Callable[[], T]) -> T:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(begin, calls))


class SharingContract:
    """For StoreContract."""

    @pytest.fixture
    def neighbour_writer(self, neighbour: Store | None, writer: StoreWriter) -> Iterator[StoreWriter]:
        """The open writer of another process, as it were."""
        if neighbour is None:
            pytest.skip("nobody can share this store: the fixture neighbour() is None")
        neighbour.writer.open()
        yield neighbour.writer
        neighbour.writer.close()

    # Threads

    def test_threads_may_call_at_once(self, store: Store, writer: StoreWriter) -> None:
        def write(name: str) -> None:
            for offset in range(1, 21):
                line = make_line(f"task-{name}", offset)
                writer.write(
                    StoreWrite(name, offset, [make_task(f"task-{name}")], [make_attempt(f"task-{name}")], [line])
                )

        def look() -> None:
            for _ in range(50):
                writer.owners()
                writer.take_commands("journal-a")
                writer.find_idempotent("send_email", "key")
                writer.load_tasks(["task-a", "task-b"])

        _at_once([lambda: write("a"), lambda: write("b"), look])
        assert writer.usage()[:2] == (2, 40)
        assert ask(store, lambda reader: reader.get_logs("task-b")) == make_lines("task-b", 1, 20)

    def test_readers_live_on_several_event_loops(self, store: Store, writer: StoreWriter) -> None:
        writer.write(StoreWrite("journal-a", 1, [make_task()]))
        found = _at_once([lambda: ask(store, lambda reader: reader.list_tasks(TaskFilter(), 9)) for _ in range(3)])
        assert [page.tasks for page in found] == [[make_task()]] * 3

    def test_a_reader_is_asked_by_many_coroutines(self, store: Store, writer: StoreWriter) -> None:
        writer.write(StoreWrite("journal-a", 1, [make_task()]))

        async def ask_often(reader: StoreReader) -> set[int]:
            return set(await asyncio.gather(*(reader.get_offset("journal-a") for _ in range(30))))

        assert ask(store, ask_often) == {1}

    def test_readers_see_slices_whole(self, store: Store, writer: StoreWriter) -> None:
        def write() -> None:
            for offset in range(1, 31):
                writer.write(
                    StoreWrite("journal-a", offset, [make_task(attempts=offset)], [make_attempt("task-1", offset)])
                )

        async def watch(reader: StoreReader) -> None:
            seen = 0
            while seen < 30:
                detail = await reader.get_task("task-1")
                if detail is not None:
                    seen = detail.task.attempts
                    assert seen == len(detail.attempts)
                await asyncio.sleep(0)

        _at_once([write, lambda: ask(store, watch)])

    # Processes

    def test_of_two_claims_at_once_each_task_goes_to_one(
        self, writer: StoreWriter, neighbour_writer: StoreWriter
    ) -> None:
        task_ids = {f"task-{number}" for number in range(50)}
        for round_ in range(1, 6):
            dead = f"dead-{round_}"
            rows = [make_task(f"{dead}-{task_id}", owner=dead) for task_id in task_ids]
            writer.write(StoreWrite(dead, 1, rows))
            first, second = _at_once(
                [
                    lambda dead=dead: writer.claim(dead, "journal-a"),  # type: ignore[misc]
                    lambda dead=dead: neighbour_writer.claim(dead, "journal-b"),  # type: ignore[misc]
                ]
            )
            taken = [row.task_id for row in (*first, *second)]
            assert len(taken) == len(set(taken)) == len(rows)

    def test_of_two_that_take_commands_at_once_each_goes_to_one(
        self, writer: StoreWriter, neighbour_writer: StoreWriter
    ) -> None:
        writer.write(StoreWrite("journal-a", 1, [make_task()]))
        ids = {writer.add_command("task-1", "cancel", "ann", START) for _ in range(20)}
        first, second = _at_once(
            [
                lambda: writer.take_commands("journal-a"),
                lambda: neighbour_writer.take_commands("journal-a"),
            ]
        )
        taken = [command.id for command in (*first, *second)]
        assert len(taken) == len(ids)
        assert set(taken) == ids

    def test_two_writers_lose_nothing(self, store: Store, writer: StoreWriter, neighbour_writer: StoreWriter) -> None:
        def write(target: StoreWriter, name: str) -> list[int]:
            return [
                target.write(
                    StoreWrite(
                        name, offset, [make_task(f"task-{name}")], (), [make_line("shared", offset, name == "b")]
                    )
                )
                for offset in range(1, 51)
            ]

        first, second = _at_once([lambda: write(writer, "a"), lambda: write(neighbour_writer, "b")])
        assert len({*first, *second}) == 100
        assert writer.usage() == neighbour_writer.usage()
        assert writer.usage()[:2] == (2, 100)
        assert len(ask(store, lambda reader: reader.changes(0))) == 200

    def test_what_one_process_wrote_the_other_reads(
        self, neighbour: Store, writer: StoreWriter, neighbour_writer: StoreWriter
    ) -> None:
        writer.write(StoreWrite("journal-a", 3, [make_task()], (), [make_line()]))
        assert neighbour_writer.load_tasks(["task-1"]) == {"task-1": make_task()}
        assert neighbour_writer.offset("journal-a") == 3
        assert ask(neighbour, lambda reader: reader.get_logs("task-1")) == [make_line()]
