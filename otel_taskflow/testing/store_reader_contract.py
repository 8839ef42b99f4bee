"""Contract of a store's readers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from otel_taskflow.errors import ConfigurationError
from otel_taskflow.model import SpanIdentity, TaskFilter, TaskRow, TaskStatus
from otel_taskflow.ports import RollupDelta, Store, StoreReader, StoreWrite, StoreWriter
from otel_taskflow.testing.store_rows import (
    EXTRA,
    SECOND,
    START,
    ask,
    make_attempt,
    make_finished_task,
    make_full_attempt,
    make_full_task,
    make_line,
    make_lines,
    make_task,
)

ANY = TaskFilter()


def _ids(rows: object) -> list[str]:
    return [row.task_id for row in rows]  # type: ignore[attr-defined]  # rows of several kinds have one


class ReaderContract:
    """For StoreContract."""

    # Tasks

    def test_a_new_store_has_nothing(self, store: Store, writer: StoreWriter) -> None:
        page = ask(store, lambda reader: reader.list_tasks(ANY, 10))
        assert (list(page.tasks), page.cursor) == ([], None)
        assert ask(store, lambda reader: reader.get_task("unknown")) is None
        assert ask(store, lambda reader: reader.get_logs("unknown")) == []
        assert ask(store, lambda reader: reader.get_new_logs("unknown", 0)) == []
        assert sum(ask(store, lambda reader: reader.count_by_status()).values()) == 0
        assert ask(store, lambda reader: reader.average_duration()) == 0.0
        assert ask(store, lambda reader: reader.rollups(0)) == []
        assert ask(store, lambda reader: reader.changes(0)) == []
        assert ask(store, lambda reader: reader.last_change()) == 0
        assert ask(store, lambda reader: reader.get_offset("journal-a")) == 0

    def test_tasks_come_newest_first(self, store: Store, writer: StoreWriter) -> None:
        times = {"b": 1, "d": 2, "a": 2, "c": 0}
        writer.write(StoreWrite("a", 1, [make_task(name, created_at=START + time) for name, time in times.items()]))
        page = ask(store, lambda reader: reader.list_tasks(ANY, 10))
        assert _ids(page.tasks) == ["d", "a", "b", "c"]
        assert page.cursor is None

    def test_pages_follow_each_other_while_tasks_are_added(self, store: Store, writer: StoreWriter) -> None:
        rows = [make_task(f"task-{number}", created_at=START + number // 2) for number in range(7)]
        writer.write(StoreWrite("journal-a", 1, rows))
        seen: list[str] = []
        cursor: str | None = None
        for round_ in range(4):
            page = ask(store, lambda reader, cursor=cursor: reader.list_tasks(ANY, 2, cursor))  # type: ignore[misc]
            seen += _ids(page.tasks)
            cursor = page.cursor
            writer.write(StoreWrite("journal-a", 2 + round_, [make_task(f"new-{round_}", created_at=START + 99)]))
        assert seen == [f"task-{number}" for number in (6, 5, 4, 3, 2, 1, 0)]
        assert cursor is None

    def test_a_page_that_is_just_full_is_the_last_one(self, store: Store, writer: StoreWriter) -> None:
        writer.write(StoreWrite("journal-a", 1, [make_task("a"), make_task("b")]))
        assert ask(store, lambda reader: reader.list_tasks(ANY, 2)).cursor is None

    @pytest.mark.parametrize("cursor", ["", "nonsense", "W10", "WzFd", "é", "MQ", "WyIxIiwgMl0"])
    def test_a_broken_cursor_is_refused(self, store: Store, writer: StoreWriter, cursor: str) -> None:
        with pytest.raises(ConfigurationError):
            ask(store, lambda reader: reader.list_tasks(ANY, 2, cursor))

    @pytest.mark.parametrize(
        ("where", "expected"),
        [
            (TaskFilter(status=TaskStatus.PENDING), ["other", "tagged"]),
            (TaskFilter(status=TaskStatus.SUCCESS), ["done"]),
            (TaskFilter(status=TaskStatus.FAILED), []),
            (TaskFilter(name="other_name"), ["other"]),
            (TaskFilter(tag=("customer", "7")), ["tagged", "done"]),
            (TaskFilter(tag=("customer", "8")), []),
            (TaskFilter(tag=("an odd key", "a 'value'")), ["tagged"]),
            (TaskFilter(created_after=START + 2), ["other", "tagged"]),
            (TaskFilter(created_before=START + 2), ["done"]),
            (TaskFilter(created_after=START + 2, created_before=START + 3), ["tagged"]),
            (TaskFilter(status=TaskStatus.PENDING, name="send_email", tag=("customer", "7")), ["tagged"]),
            (TaskFilter(name="' OR 1=1 --"), []),
            (TaskFilter(trace_id="1" * 32), ["other", "done"]),
            (TaskFilter(trace_id="2" * 32), ["tagged"]),
            (TaskFilter(trace_id="2" * 32, tag=("customer", "7"), status=TaskStatus.PENDING), ["tagged"]),
            (TaskFilter(trace_id="3" * 32), []),
        ],
    )
    def test_lists_are_narrowed_by_a_filter(
        self, store: Store, writer: StoreWriter, where: TaskFilter, expected: list[str]
    ) -> None:
        attempts = [make_attempt("tagged", number, span=SpanIdentity("2" * 32, "b" * 16)) for number in range(2)]
        writer.write(StoreWrite("journal-a", 1, self._rows_to_filter(), attempts))
        assert _ids(ask(store, lambda reader: reader.list_tasks(where, 10)).tasks) == expected

    def _rows_to_filter(self) -> list[TaskRow]:
        traced = SpanIdentity("1" * 32, "a" * 16)
        return [
            make_finished_task("done", START + 5, created_at=START + 1, tags={"customer": "7"}, span=traced),
            make_task("tagged", created_at=START + 2, tags={"customer": "7", "an odd key": "a 'value'"}),
            make_task("other", created_at=START + 3, name="other_name", span=traced),
        ]

    def test_filters_see_what_the_row_is_now(self, store: Store, writer: StoreWriter) -> None:
        writer.write(StoreWrite("journal-a", 1, [make_task(tags={"customer": "7"})]))
        changed = make_task(tags={"customer": "8"}, name="renamed", status=TaskStatus.RUNNING)
        writer.write(StoreWrite("journal-a", 2, [changed]))
        for where in (TaskFilter(tag=("customer", "7")), TaskFilter(name="send_email"), TaskFilter(TaskStatus.PENDING)):
            assert ask(store, lambda reader, where=where: reader.list_tasks(where, 10)).tasks == []  # type: ignore[misc]
        where = TaskFilter(TaskStatus.RUNNING, "renamed", ("customer", "8"))
        assert _ids(ask(store, lambda reader: reader.list_tasks(where, 10)).tasks) == ["task-1"]

    def test_pages_of_a_filter_follow_each_other(self, store: Store, writer: StoreWriter) -> None:
        rows = [make_task(f"task-{number}", tags={"even": str(number % 2 == 0)}) for number in range(6)]
        writer.write(StoreWrite("journal-a", 1, rows))
        where = TaskFilter(tag=("even", "True"), status=TaskStatus.PENDING)
        first = ask(store, lambda reader: reader.list_tasks(where, 2))
        second = ask(store, lambda reader: reader.list_tasks(where, 2, first.cursor))
        assert (_ids(first.tasks), _ids(second.tasks)) == (["task-4", "task-2"], ["task-0"])

    def test_a_task_comes_with_its_attempts_in_order(self, store: Store, writer: StoreWriter) -> None:
        attempts = [make_attempt("task-full", 1), make_full_attempt()]
        writer.write(StoreWrite("journal-a", 1, [make_full_task()], attempts))
        detail = ask(store, lambda reader: reader.get_task("task-full"))
        assert detail is not None
        assert (detail.task, list(detail.attempts)) == (make_full_task(), attempts[::-1])

    def test_lists_show_whole_rows(self, store: Store, writer: StoreWriter) -> None:
        writer.write(StoreWrite("journal-a", 1, [make_full_task()]))
        assert ask(store, lambda reader: reader.list_tasks(ANY, 1)).tasks == [make_full_task()]

    # Lines

    def test_lines_come_back_as_they_were_written(self, store: Store, writer: StoreWriter) -> None:
        line = make_line(level="warning", message="<b>\N{SNOWMAN}\n\x00'\"", extra=EXTRA, logger="app.mail", late=True)
        writer.write(StoreWrite("journal-a", 1, [make_task()], (), [line]))
        assert ask(store, lambda reader: reader.get_logs("task-1")) == [line]

    def test_lines_come_in_order_of_attempt_and_seq(self, store: Store, writer: StoreWriter) -> None:
        late = make_line(seq=6, attempt=0)
        lines = [*make_lines("task-1", 4, 5, attempt=1), late, *make_lines("task-1", 1, 3)]
        writer.write(StoreWrite("journal-a", 1, [make_task()], (), lines))
        found = ask(store, lambda reader: reader.get_logs("task-1"))
        assert [(line.attempt, line.seq) for line in found] == [(0, 1), (0, 2), (0, 3), (0, 6), (1, 4), (1, 5)]

    def test_lines_are_paged_by_attempt_and_seq(self, store: Store, writer: StoreWriter) -> None:
        lines = [*make_lines("task-1", 1, 3), *make_lines("task-1", 4, 6, attempt=1)]
        writer.write(StoreWrite("journal-a", 1, [make_task()], (), lines))
        found = ask(store, lambda reader: reader.get_logs("task-1", after=(0, 2), limit=3))
        assert [line.seq for line in found] == [3, 4, 5]
        assert ask(store, lambda reader: reader.get_logs("task-1", after=(1, 6))) == []

    def test_lines_of_one_attempt(self, store: Store, writer: StoreWriter) -> None:
        lines = [*make_lines("task-1", 1, 3), *make_lines("task-1", 4, 6, attempt=1)]
        writer.write(StoreWrite("journal-a", 1, [make_task()], (), lines))
        assert ask(store, lambda reader: reader.get_logs("task-1", attempt=1)) == lines[3:]
        assert ask(store, lambda reader: reader.get_logs("task-1", attempt=0, after=(0, 1), limit=1)) == lines[1:2]
        assert ask(store, lambda reader: reader.get_logs("task-1", attempt=2)) == []

    @pytest.mark.parametrize(("level", "count"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1), (None, 4)])
    def test_lines_of_a_level_and_above(self, store: Store, writer: StoreWriter, level: str | None, count: int) -> None:
        lines = [make_line(seq=seq, level=name) for seq, name in enumerate(("debug", "info", "warning", "error"))]
        writer.write(StoreWrite("journal-a", 1, [make_task()], (), lines))
        assert ask(store, lambda reader: reader.get_logs("task-1", min_level=level)) == lines[4 - count :]

    def test_new_lines_are_those_written_after_a_change(self, store: Store, writer: StoreWriter) -> None:
        first = writer.write(StoreWrite("journal-a", 1, [make_task()], (), make_lines("task-1", 3, 4)))
        late = [make_line(seq=2), make_line(seq=1), make_line("task-2")]
        second = writer.write(StoreWrite("journal-b", 1, (), (), late))
        assert ask(store, lambda reader: reader.get_new_logs("task-1", 0)) == [*make_lines("task-1", 3, 4), *late[:2]]
        assert ask(store, lambda reader: reader.get_new_logs("task-1", first)) == late[:2]
        assert ask(store, lambda reader: reader.get_new_logs("task-1", first, limit=1)) == late[:1]
        assert ask(store, lambda reader: reader.get_new_logs("task-1", second)) == []

    # Figures

    def test_counts_follow_every_change_of_state(self, store: Store, writer: StoreWriter) -> None:
        rows = [make_task(f"task-{number}") for number in range(4)]
        writer.write(StoreWrite("journal-a", 1, rows))
        changed = [rows[0]._replace(status=TaskStatus.RUNNING), make_finished_task("task-1", START)]
        writer.write(StoreWrite("journal-a", 2, changed))
        writer.prune(START + 1, 2**62)
        counts = ask(store, lambda reader: reader.count_by_status())
        assert {status: count for status, count in counts.items() if count} == {
            TaskStatus.PENDING: 2,
            TaskStatus.RUNNING: 1,
        }

    def test_the_average_is_of_finished_tasks_that_were_started(self, store: Store, writer: StoreWriter) -> None:
        rows = [
            make_finished_task("one", START + SECOND, started_at=START),
            make_finished_task("two", START + 2 * SECOND, started_at=START),
            make_finished_task("never started", START + 9 * SECOND, started_at=None, status=TaskStatus.CANCELLED),
            make_task("running", status=TaskStatus.RUNNING, started_at=START),
        ]
        writer.write(StoreWrite("journal-a", 1, rows))
        assert ask(store, lambda reader: reader.average_duration()) == pytest.approx(1.5)
        writer.write(StoreWrite("journal-a", 2, [rows[0]._replace(ended_at=START + 4 * SECOND)]))
        assert ask(store, lambda reader: reader.average_duration()) == pytest.approx(3.0)
        writer.prune(START + 3 * SECOND, 2**62)
        assert ask(store, lambda reader: reader.average_duration()) == pytest.approx(4.0)

    def test_rollups_add_up_per_name_and_minute(self, store: Store, writer: StoreWriter) -> None:
        once = RollupDelta("a", 10, 1, 2, 3, 4, 5, 6, 7, tuple(range(16)))
        writer.write(StoreWrite("journal-a", 1, rollups=[once, RollupDelta("b", 9, enqueued=1)]))
        writer.write(StoreWrite("journal-b", 1, rollups=[once, RollupDelta("a", 11, failed=1)]))
        twice = RollupDelta("a", 10, 2, 4, 6, 8, 10, 12, 14, tuple(range(0, 32, 2)))
        found = ask(store, lambda reader: reader.rollups(9))
        assert [(delta.minute, delta.name) for delta in found] == [(9, "b"), (10, "a"), (11, "a")]
        assert found[1] == twice
        assert [delta.minute for delta in ask(store, lambda reader: reader.rollups(10, "a"))] == [10, 11]
        assert ask(store, lambda reader: reader.rollups(12)) == []

    # The feed

    def test_the_feed_names_the_tasks_that_were_written(self, store: Store, writer: StoreWriter) -> None:
        first = writer.write(StoreWrite("journal-a", 1, [make_task("task-1"), make_task("task-2")]))
        second = writer.write(StoreWrite("journal-a", 2, (), [make_attempt("task-2")], [make_line("task-3")]))
        entries = ask(store, lambda reader: reader.changes(0))
        assert [each.seq for each in entries] == sorted(each.seq for each in entries)
        assert {each.task_id for each in entries if each.seq <= first} == {"task-1", "task-2"}
        assert {each.task_id for each in ask(store, lambda reader: reader.changes(first))} == {"task-2", "task-3"}
        assert ask(store, lambda reader: reader.changes(second)) == []
        assert entries[-1].seq == second == ask(store, lambda reader: reader.last_change())

    def test_the_feed_is_read_in_pieces_without_a_gap(self, store: Store, writer: StoreWriter) -> None:
        for offset in range(1, 6):
            writer.write(StoreWrite("journal-a", offset, [make_task(f"task-{offset}")]))
        at, seen = 0, []
        while entries := ask(store, lambda reader, at=at: reader.changes(at, limit=2)):  # type: ignore[misc]
            at = entries[-1].seq
            seen += _ids(entries)
        assert seen == [f"task-{offset}" for offset in range(1, 6)]

    def test_the_feed_of_a_store_that_was_not_trimmed_reaches_back_to_its_beginning(
        self, store: Store, writer: StoreWriter
    ) -> None:
        assert ask(store, lambda reader: reader.first_change()) == 1
        writer.write(StoreWrite("journal-a", 1, [make_task()]))
        assert ask(store, lambda reader: reader.first_change()) == 1

    def test_a_reader_knows_the_offsets(self, store: Store, writer: StoreWriter) -> None:
        writer.write(StoreWrite("journal-a", 5))
        assert ask(store, lambda reader: reader.get_offset("journal-a")) == 5

    def test_one_reader_answers_again_and_again_and_sees_what_is_new(self, store: Store, writer: StoreWriter) -> None:
        async def look_twice(reader: StoreReader) -> list[int]:
            counts = []
            for offset in (1, 2):
                writer.write(StoreWrite("journal-a", offset, [make_task(f"task-{offset}")]))
                counts.append(len((await reader.list_tasks(replace(ANY), 10)).tasks))
            return counts

        assert ask(store, look_twice) == [1, 2]

    def test_a_reader_may_be_closed_twice(self, store: Store, writer: StoreWriter) -> None:
        async def close(reader: StoreReader) -> None:
            await reader.last_change()
            await reader.aclose()

        ask(store, close)
