"""Contract of a store's writer: slices, questions, owners."""

from __future__ import annotations

import pytest

from otel_taskflow.errors import StoreError
from otel_taskflow.model import AttemptOutcome, TaskStatus
from otel_taskflow.ports import RollupDelta, Store, StoreWrite, StoreWriter
from otel_taskflow.testing.store_rows import (
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


class WriterContract:
    """For StoreContract."""

    # Opening

    def test_open_may_be_called_twice(self, writer: StoreWriter) -> None:
        writer.write(StoreWrite("journal-a", 1, [make_task()]))
        writer.open()
        assert writer.load_tasks(["task-1"])

    def test_close_may_be_called_twice_and_the_store_opened_again(self, store: Store) -> None:
        for _ in range(2):
            store.writer.open()
            assert store.writer.usage().tasks == 0
            store.writer.close()
            store.writer.close()

    def test_a_persistent_store_keeps_its_data_over_a_close(self, store: Store, writer: StoreWriter) -> None:
        if not store.is_persistent:
            pytest.skip("the store says it is not persistent")
        writer.write(StoreWrite("journal-a", 7, [make_task()], [make_attempt()], [make_line()]))
        writer.close()
        writer.open()
        assert writer.load_tasks(["task-1"])["task-1"] == make_task()
        assert writer.offset("journal-a") == 7
        assert ask(store, lambda reader: reader.get_logs("task-1")) == [make_line()]

    def test_a_call_before_open_raises_a_store_error(self, store: Store) -> None:
        with pytest.raises(StoreError):
            store.writer.owners()

    def test_a_store_has_a_location_to_show(self, store: Store) -> None:
        assert isinstance(store.location, str)
        assert store.location

    def test_the_writer_is_always_the_same(self, store: Store) -> None:
        assert store.writer is store.writer

    # Slices

    def test_rows_come_back_as_they_were_written(self, store: Store, writer: StoreWriter) -> None:
        rows = [make_full_task(), make_task()]
        attempts = [make_full_attempt(), make_attempt("task-full", 1)]
        writer.write(StoreWrite("journal-a", 1, rows, attempts))
        assert writer.load_tasks(["task-full", "task-1"]) == {row.task_id: row for row in rows}
        assert [writer.load_attempt("task-full", number) for number in (0, 1)] == attempts

    def test_write_returns_change_numbers_that_grow(self, store: Store, writer: StoreWriter) -> None:
        numbers = [writer.write(StoreWrite("journal-a", offset, [make_task()])) for offset in (1, 2, 3)]
        assert numbers == sorted(set(numbers))
        assert numbers[0] > 0
        assert ask(store, lambda reader: reader.last_change()) == numbers[-1]

    def test_a_slice_without_rows_moves_the_offset(self, writer: StoreWriter) -> None:
        writer.write(StoreWrite("journal-a", 9))
        assert writer.offset("journal-a") == 9

    @pytest.mark.parametrize("offset", [4, 5])
    def test_a_replayed_slice_changes_nothing(self, store: Store, writer: StoreWriter, offset: int) -> None:
        change = writer.write(StoreWrite("journal-a", 5, [make_task()], (), [make_line()]))
        replayed = StoreWrite(
            "journal-a",
            offset,
            [make_task(name="other"), make_task("task-2")],
            [make_attempt()],
            [make_line(seq=2)],
            [RollupDelta("send_email", 1, enqueued=1)],
        )
        assert writer.write(replayed) == change
        assert writer.load_tasks(["task-1", "task-2"]) == {"task-1": make_task()}
        assert writer.load_attempt("task-1", 0) is None
        assert writer.offset("journal-a") == 5
        assert ask(store, lambda reader: reader.get_logs("task-1")) == [make_line()]
        assert ask(store, lambda reader: reader.rollups(0)) == []
        assert ask(store, lambda reader: reader.last_change()) == change

    def test_offsets_belong_to_their_journal(self, writer: StoreWriter) -> None:
        writer.write(StoreWrite("journal-a", 5))
        writer.write(StoreWrite("journal-b", 2))
        assert [writer.offset(name) for name in ("journal-a", "journal-b", "unknown")] == [5, 2, 0]

    def test_a_forgotten_journal_begins_at_zero(self, writer: StoreWriter) -> None:
        writer.write(StoreWrite("journal-a", 5))
        writer.forget_journal("journal-a")
        writer.forget_journal("never known")
        assert writer.offset("journal-a") == 0

    def test_tasks_and_attempts_are_replaced_whole(self, writer: StoreWriter) -> None:
        writer.write(StoreWrite("journal-a", 1, [make_full_task("task-1")], [make_full_attempt("task-1")]))
        writer.write(StoreWrite("journal-a", 2, [make_task()], [make_attempt()]))
        assert writer.load_tasks(["task-1"])["task-1"] == make_task()
        assert writer.load_attempt("task-1", 0) == make_attempt()

    def test_a_row_of_the_previous_owner_is_left_out(self, store: Store, writer: StoreWriter) -> None:
        writer.write(StoreWrite("journal-a", 1, [make_task()]))
        writer.claim("journal-a", "journal-b")
        late = make_task(status=TaskStatus.RUNNING, attempts=1)
        writer.write(StoreWrite("journal-a", 2, [late, make_task("task-2")], [make_attempt()], [make_line()]))
        found = writer.load_tasks(["task-1", "task-2"])
        assert found == {"task-1": make_task(owner="journal-b"), "task-2": make_task("task-2")}
        assert writer.load_attempt("task-1", 0) == make_attempt()
        assert ask(store, lambda reader: reader.get_logs("task-1")) == [make_line()]

    def test_a_row_of_the_new_owner_is_taken(self, writer: StoreWriter) -> None:
        writer.write(StoreWrite("journal-a", 1, [make_task()]))
        writer.claim("journal-a", "journal-b")
        row = make_task(owner="journal-b", status=TaskStatus.RUNNING)
        writer.write(StoreWrite("journal-b", 1, [row]))
        assert writer.load_tasks(["task-1"]) == {"task-1": row}

    def test_a_row_without_owner_is_free(self, writer: StoreWriter) -> None:
        writer.write(StoreWrite("journal-a", 1, [make_task(owner=None)]))
        writer.write(StoreWrite("journal-b", 1, [make_task(owner="journal-b")]))
        assert writer.load_tasks(["task-1"])["task-1"].owner == "journal-b"

    def test_lines_already_there_are_ignored(self, store: Store, writer: StoreWriter) -> None:
        writer.write(StoreWrite("journal-a", 1, [make_task()], (), make_lines("task-1", 1, 3)))
        again = [make_line(seq=2, message="another text"), *make_lines("task-1", 3, 4)]
        writer.write(StoreWrite("journal-b", 1, (), (), again))
        assert ask(store, lambda reader: reader.get_logs("task-1")) == make_lines("task-1", 1, 4)
        assert writer.usage().logs == 4

    def test_lines_and_attempts_may_come_before_their_task(self, store: Store, writer: StoreWriter) -> None:
        writer.write(StoreWrite("journal-child", 1, (), [make_attempt()], make_lines("task-1", 1, 2)))
        assert writer.load_tasks(["task-1"]) == {}
        assert ask(store, lambda reader: reader.get_task("task-1")) is None
        assert writer.usage().tasks == 0
        writer.write(StoreWrite("journal-a", 1, [make_task()]))
        detail = ask(store, lambda reader: reader.get_task("task-1"))
        assert detail is not None
        assert (detail.task, list(detail.attempts)) == (make_task(), [make_attempt()])
        assert ask(store, lambda reader: reader.get_logs("task-1")) == make_lines("task-1", 1, 2)

    def test_refused_data_leaves_nothing_behind(self, store: Store, writer: StoreWriter) -> None:
        writer.write(StoreWrite("journal-a", 1, [make_task()]))
        bad = make_line(seq=2, message=object())
        try:
            writer.write(StoreWrite("journal-a", 2, [make_task("task-2")], [make_attempt()], [make_line(), bad]))
        except Exception as refusal:  # noqa: BLE001 - a store may name it as it likes, but not StoreError
            assert not isinstance(refusal, StoreError)  # noqa: PT017 - a store that takes anything is right, too
        else:
            pytest.skip("the store refuses nothing")
        assert writer.load_tasks(["task-1", "task-2"]) == {"task-1": make_task()}
        assert writer.load_attempt("task-1", 0) is None
        assert writer.offset("journal-a") == 1
        assert ask(store, lambda reader: reader.get_logs("task-1")) == []
        assert writer.usage().logs == 0

    # Questions

    def test_unknown_tasks_and_attempts_are_left_out(self, writer: StoreWriter) -> None:
        writer.write(StoreWrite("journal-a", 1, [make_task()]))
        assert list(writer.load_tasks(["unknown", "task-1"])) == ["task-1"]
        assert writer.load_tasks([]) == {}
        assert writer.load_attempt("task-1", 0) is None
        assert writer.load_attempt("unknown", 0) is None

    @pytest.mark.parametrize("status", list(TaskStatus))
    def test_an_idempotency_key_finds_pending_running_and_succeeded(
        self, writer: StoreWriter, status: TaskStatus
    ) -> None:
        writer.write(StoreWrite("journal-a", 1, [make_task(status=status, idempotency_key="key")]))
        is_found = status in {TaskStatus.PENDING, TaskStatus.RUNNING, TaskStatus.SUCCESS}
        assert writer.find_idempotent("send_email", "key") == ("task-1" if is_found else None)

    def test_an_idempotency_key_finds_the_newest_task_of_its_name(self, writer: StoreWriter) -> None:
        rows = [
            make_finished_task("old", START, idempotency_key="key"),
            make_task("new", idempotency_key="key", created_at=START + 2),
            make_task("failed", idempotency_key="key", created_at=START + 3, status=TaskStatus.FAILED),
            make_task("other", idempotency_key="key", created_at=START + 4, name="other"),
        ]
        writer.write(StoreWrite("journal-a", 1, rows))
        assert writer.find_idempotent("send_email", "key") == "new"
        assert writer.find_idempotent("send_email", "other key") is None
        assert writer.find_idempotent("unknown", "key") is None

    # Owners

    def test_claim_takes_the_unfinished_tasks_of_one_owner(self, store: Store, writer: StoreWriter) -> None:
        statuses = dict(enumerate(TaskStatus))
        rows = [make_task(f"task-{number}", status=status) for number, status in statuses.items()]
        rows.append(make_task("foreign", owner="journal-c"))
        change = writer.write(StoreWrite("journal-a", 1, rows))
        claimed = writer.claim("journal-a", "journal-b")
        unfinished = {f"task-{number}" for number, status in statuses.items() if status.value in {"pending", "running"}}
        assert {row.task_id for row in claimed} == unfinished
        assert {row.owner for row in claimed} == {"journal-b"}
        stored = writer.load_tasks([row.task_id for row in rows])
        assert {task_id for task_id, row in stored.items() if row.owner == "journal-b"} == unfinished
        changed = ask(store, lambda reader: reader.changes(change))
        assert {each.task_id for each in changed} == unfinished

    def test_a_claim_of_idle_tasks_leaves_those_with_a_running_attempt(self, writer: StoreWriter) -> None:
        rows = [
            make_task("pending"),
            make_task("held", held=True),
            make_task("waiting", status=TaskStatus.RUNNING, attempts=1, waiting_until=START + 9),
            make_task("running", status=TaskStatus.RUNNING, attempts=1),
            make_finished_task("finished", START),
        ]
        writer.write(StoreWrite("journal-a", 1, rows))
        idle = writer.claim("journal-a", "journal-b", idle_only=True)
        assert {row.task_id for row in idle} == {"pending", "held", "waiting"}
        assert {row.owner for row in idle} == {"journal-b"}
        assert list(writer.claim("journal-a", "journal-b", idle_only=True)) == []
        assert [row.task_id for row in writer.claim("journal-a", "journal-c")] == ["running"]

    def test_a_repeated_claim_returns_nothing(self, writer: StoreWriter) -> None:
        writer.write(StoreWrite("journal-a", 1, [make_task()]))
        assert len(writer.claim("journal-a", "journal-b")) == 1
        assert list(writer.claim("journal-a", "journal-b")) == []
        assert list(writer.claim("journal-b", "journal-b")) == []
        assert list(writer.claim("unknown", "journal-b")) == []

    def test_owners_are_those_with_unfinished_tasks(self, writer: StoreWriter) -> None:
        rows = [
            make_task("a1"),
            make_task("a2", status=TaskStatus.RUNNING),
            make_task("b", owner="journal-b"),
            make_finished_task("c", START, owner="journal-c"),
        ]
        writer.write(StoreWrite("journal-a", 1, rows))
        assert sorted(writer.owners()) == ["journal-a", "journal-b"]
        assert {row.task_id for row in writer.owned("journal-a")} == {"a1", "a2"}
        assert list(writer.owned("journal-c")) == []

    def test_a_task_that_ends_has_no_owner_to_name(self, writer: StoreWriter) -> None:
        writer.write(StoreWrite("journal-a", 1, [make_task()], [make_attempt()]))
        ended = make_attempt(ended_at=START + 5, outcome=AttemptOutcome.SUCCEEDED)
        writer.write(StoreWrite("journal-a", 2, [make_finished_task("task-1", START + 5)], [ended]))
        assert list(writer.owners()) == []
