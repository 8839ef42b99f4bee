"""Contract of a store's writer: commands, retention, usage."""

from __future__ import annotations

from otel_taskflow.model import TaskStatus
from otel_taskflow.ports import Command, RollupDelta, Store, StoreWrite, StoreWriter
from otel_taskflow.testing.store_rows import (
    SECOND,
    START,
    ask,
    make_attempt,
    make_finished_task,
    make_line,
    make_lines,
    make_task,
)

NO_LIMIT = 2**62
MINUTE = 60 * SECOND


class HousekeepingContract:
    """For StoreContract."""

    # Commands

    def test_commands_reach_the_owner_in_order(self, writer: StoreWriter) -> None:
        writer.write(StoreWrite("journal-a", 1, [make_task("task-1"), make_task("task-2")]))
        ids = [writer.add_command(task_id, "cancel", "ann", START) for task_id in ("task-2", "task-1")]
        expected = [
            Command(ids[0], "task-2", "cancel", START, "ann"),
            Command(ids[1], "task-1", "cancel", START, "ann"),
        ]
        assert list(writer.take_commands("journal-a")) == expected

    def test_a_command_is_taken_once(self, writer: StoreWriter) -> None:
        writer.write(StoreWrite("journal-a", 1, [make_task()]))
        writer.add_command("task-1", "cancel", "ann", START)
        assert len(writer.take_commands("journal-a")) == 1
        assert list(writer.take_commands("journal-a")) == []

    def test_commands_of_other_owners_and_unknown_tasks_stay(self, writer: StoreWriter) -> None:
        writer.write(StoreWrite("journal-b", 1, [make_task("foreign", owner="journal-b")]))
        writer.add_command("foreign", "cancel", "ann", START)
        writer.add_command("task-1", "cancel", "ann", START)
        assert list(writer.take_commands("journal-a")) == []
        assert [command.task_id for command in writer.take_commands("journal-b")] == ["foreign"]
        writer.write(StoreWrite("journal-a", 1, [make_task()]))
        assert [command.task_id for command in writer.take_commands("journal-a")] == ["task-1"]

    def test_commands_follow_a_task_to_its_new_owner(self, writer: StoreWriter) -> None:
        writer.write(StoreWrite("journal-a", 1, [make_task()]))
        writer.add_command("task-1", "cancel", "ann", START)
        writer.claim("journal-a", "journal-b")
        assert list(writer.take_commands("journal-a")) == []
        assert len(writer.take_commands("journal-b")) == 1

    # Retention

    def test_prune_deletes_what_ended_before(self, writer: StoreWriter) -> None:
        rows = [make_finished_task(f"task-{number}", START + number) for number in range(3)]
        writer.write(StoreWrite("journal-a", 1, rows))
        assert writer.prune(START + 2, NO_LIMIT) == 2
        assert writer.prune(START + 2, NO_LIMIT) == 0
        assert list(writer.load_tasks([row.task_id for row in rows])) == ["task-2"]

    def test_prune_deletes_attempts_lines_commands_and_feed_entries_too(
        self, store: Store, writer: StoreWriter
    ) -> None:
        rows = [make_finished_task("task-1", START), make_finished_task("task-2", START + 9)]
        lines = [*make_lines("task-1", 1, 3), make_line("task-2")]
        change = writer.write(StoreWrite("journal-a", 1, rows, [make_attempt(), make_attempt("task-2")], lines))
        writer.add_command("task-1", "cancel", "ann", START)
        assert writer.prune(START + 5, NO_LIMIT) == 1
        assert writer.load_attempt("task-1", 0) is None
        assert writer.load_attempt("task-2", 0) == make_attempt("task-2")
        assert ask(store, lambda reader: reader.get_task("task-1")) is None
        assert ask(store, lambda reader: reader.get_logs("task-1")) == []
        assert ask(store, lambda reader: reader.get_logs("task-2")) == [make_line("task-2")]
        assert {each.task_id for each in ask(store, lambda reader: reader.changes(0))} == {"task-2"}
        assert ask(store, lambda reader: reader.last_change()) == change
        assert list(writer.take_commands("journal-a")) == []

    def test_prune_deletes_at_most_the_limit_oldest_end_first(self, writer: StoreWriter) -> None:
        ended = {"a": 3, "b": 1, "c": 2, "d": 4}
        rows = [make_finished_task(task_id, START + end) for task_id, end in ended.items()]
        writer.write(StoreWrite("journal-a", 1, rows))
        assert writer.prune(NO_LIMIT, NO_LIMIT, limit=2) == 2
        assert set(writer.load_tasks(list(ended))) == {"a", "d"}

    def test_prune_never_deletes_unfinished_tasks(self, writer: StoreWriter) -> None:
        rows = [make_task("pending"), make_task("running", status=TaskStatus.RUNNING, started_at=START)]
        writer.write(StoreWrite("journal-a", 1, rows))
        assert writer.prune(NO_LIMIT, 0) == 0
        assert len(writer.load_tasks(["pending", "running"])) == 2

    def test_prune_of_every_final_state(self, writer: StoreWriter) -> None:
        final = [TaskStatus.SUCCESS, TaskStatus.FAILED, TaskStatus.INTERRUPTED, TaskStatus.CANCELLED]
        rows = [make_finished_task(status.value, START, status=status) for status in final]
        writer.write(StoreWrite("journal-a", 1, rows))
        assert writer.prune(NO_LIMIT, NO_LIMIT) == 4

    def test_a_store_that_is_too_large_loses_its_oldest_tasks(self, writer: StoreWriter) -> None:
        rows = [make_finished_task(f"task-{number:03}", START + number) for number in range(200)]
        lines = [make_line(row.task_id, 1, message="x" * 2000) for row in rows]
        writer.write(StoreWrite("journal-a", 1, rows, (), lines))
        limit = writer.usage().bytes // 2
        rounds = 0
        while writer.prune(0, limit, limit=20):
            rounds += 1
        assert rounds >= 2
        assert writer.usage().bytes <= limit
        left = sorted(writer.load_tasks([row.task_id for row in rows]))
        assert left
        assert left == [row.task_id for row in rows][-len(left) :]

    def test_a_store_within_its_limits_is_left_alone(self, writer: StoreWriter) -> None:
        writer.write(StoreWrite("journal-a", 1, [make_finished_task("task-1", START)]))
        assert writer.prune(START, writer.usage().bytes) == 0

    def test_prune_deletes_a_task_with_many_lines(self, store: Store, writer: StoreWriter) -> None:
        task = make_finished_task("task-1", START, log_count=3000)
        writer.write(StoreWrite("journal-a", 1, [task, make_task("task-2")], (), make_lines("task-1", 1, 3000)))
        assert writer.prune(NO_LIMIT, NO_LIMIT) == 1
        assert writer.usage().logs == 0
        assert ask(store, lambda reader: reader.get_logs("task-1")) == []

    def test_prune_deletes_figures_from_before(self, store: Store, writer: StoreWriter) -> None:
        minute = START // MINUTE
        rollups = [RollupDelta("send_email", minute + number, enqueued=1) for number in range(3)]
        writer.write(StoreWrite("journal-a", 1, rollups=rollups))
        writer.prune((minute + 1) * MINUTE, NO_LIMIT)
        left = ask(store, lambda reader: reader.rollups(0))
        assert [delta.minute for delta in left] == [minute + 1, minute + 2]

    def test_a_pruned_task_may_be_written_again(self, store: Store, writer: StoreWriter) -> None:
        task = make_finished_task("task-1", START, tags={"customer": "7"})
        writer.write(StoreWrite("journal-a", 1, [task], [make_attempt()], make_lines("task-1", 1, 2)))
        writer.prune(NO_LIMIT, NO_LIMIT)
        writer.write(StoreWrite("journal-a", 2, [task], (), make_lines("task-1", 3, 3)))
        assert writer.load_tasks(["task-1"]) == {"task-1": task}
        assert writer.load_attempt("task-1", 0) is None
        assert ask(store, lambda reader: reader.get_logs("task-1")) == make_lines("task-1", 3, 3)

    # Usage

    def test_usage_of_a_new_store(self, writer: StoreWriter) -> None:
        usage = writer.usage()
        assert (usage.tasks, usage.logs, usage.oldest) == (0, 0, None)
        assert usage.bytes >= 0

    def test_usage_counts_tasks_lines_and_bytes(self, writer: StoreWriter) -> None:
        before = writer.usage().bytes
        rows = [make_task(f"task-{number}", created_at=START - number) for number in range(3)]
        writer.write(
            StoreWrite("journal-a", 1, rows, (), [make_line("task-1", seq, message="x" * 500) for seq in range(99)])
        )
        writer.write(StoreWrite("journal-a", 2, rows))
        usage = writer.usage()
        assert (usage.tasks, usage.logs, usage.oldest) == (3, 99, START - 2)
        assert usage.bytes > before

    def test_maintain_changes_no_rows(self, writer: StoreWriter) -> None:
        writer.write(StoreWrite("journal-a", 1, [make_task()], [make_attempt()], [make_line()]))
        getattr(writer, "maintain", lambda: None)()
        assert writer.load_tasks(["task-1"]) == {"task-1": make_task()}
        assert writer.usage().logs == 1
