"""What a dead process had not told an observer: told by whoever takes over, and no task waits for that."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_taskflow import TaskManager
from otel_taskflow.consumers.observer_offsets import ObserverOffsets
from otel_taskflow.consumers.observer_replays import ObserverReplays
from otel_taskflow.consumers.observers import ObserverConsumer
from otel_taskflow.consumers.slices import Decoder
from otel_taskflow.errors import JournalError
from otel_taskflow.events import LifecycleEvent, LogEvent
from otel_taskflow.journal.folder import orphans
from otel_taskflow.manager import takeover
from otel_taskflow.model import TaskStatus
from otel_taskflow.observers import TaskObserver
from tests.crash import long_journal
from tests.crash.child import child
from tests.crash.rows import Rows, survivor
from tests.crash.test_long_journal import left_behind

LINES = 450
"""More than two slices."""
EVERY_LINE = [f"line {number} of the work that was done" for number in range(1, LINES + 1)]


class Held(TaskObserver):
    """Stops at the first line that it is told, until it may go on; keeps what it is told of the task that was running."""

    name = "held"

    def __init__(self) -> None:
        self.may_go_on, self.has_seen_the_end = threading.Event(), threading.Event()
        self.told: list[str] = []

    def on_log(self, event: LogEvent) -> None:
        assert self.may_go_on.wait(60)
        if event.task_id == long_journal.RUNNING:
            self.told.append(event.message)

    def on_lifecycle(self, event: LifecycleEvent) -> None:
        if event.task_id == long_journal.RUNNING:
            self.told.append(event.status.name)
            if event.status is TaskStatus.INTERRUPTED:
                self.has_seen_the_end.set()


@pytest.fixture
def held() -> Iterator[Held]:
    observer = Held()
    yield observer
    observer.may_go_on.set()


@pytest.fixture
def rows(tmp_path: Path) -> Rows:
    left_behind(tmp_path, LINES)
    return Rows(tmp_path)


def journals(folder: Path) -> int:
    return len(list((folder / "journal").iterdir()))


@pytest.mark.failure("C7")
@pytest.mark.failure("T4")
def test_a_task_of_a_dead_process_ends_while_an_observer_still_hangs_in_its_lines(
    tmp_path: Path, rows: Rows, held: Held
) -> None:
    with survivor(tmp_path, observers=[held]) as manager:
        assert rows.settled(long_journal.RUNNING).task.status is TaskStatus.INTERRUPTED
        [observer] = manager.runtime.observers
        assert observer.counts.failed == 0, "its call has not come to its limit"
        held.may_go_on.set()


def test_an_observer_is_told_a_dead_process_s_lines_before_the_end_of_their_task_and_the_journal_stays_until_then(
    tmp_path: Path, rows: Rows, held: Held
) -> None:
    with survivor(tmp_path, observers=[held]):
        rows.settled(long_journal.RUNNING)
        assert journals(tmp_path) == 2
        held.may_go_on.set()
        assert held.has_seen_the_end.wait(20)
        assert held.told == ["RUNNING", *EVERY_LINE, "INTERRUPTED"]
        rows.until(lambda: journals(tmp_path) == 1, "the journal of the dead process is gone")


def test_what_an_observer_was_not_told_when_the_survivor_ended_too_is_told_by_the_next(
    tmp_path: Path, rows: Rows, held: Held
) -> None:
    with survivor(tmp_path, observers=[held]):
        rows.settled(long_journal.RUNNING)
    next_one = Held()
    next_one.may_go_on.set()
    with survivor(tmp_path, observers=[next_one]):
        rows.until(lambda: journals(tmp_path) == 1, "all journals but its own are gone")
    assert [each for each in next_one.told if each.startswith("line")] == EVERY_LINE
    assert "INTERRUPTED" in next_one.told


def test_an_observer_is_told_a_dead_process_s_attempt_before_the_retry_that_follows_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Told(TaskObserver):
        name = "told"

        def __init__(self) -> None:
            self.told: list[tuple[int, str]] = []

        def on_lifecycle(self, event: LifecycleEvent) -> None:
            self.told.append((event.attempt, event.status.value))

    def lines_after_the_retry(*args: Any) -> Iterator[int]:
        Rows(tmp_path).settled(task_id)
        yield from replay_lines(*args)

    def work() -> None:
        """The retry, which goes well."""

    with child("waits_for_retry", tmp_path, 0.5) as process:
        task_id = process.says("failed").strip()
        Rows(tmp_path).until(lambda: Rows(tmp_path).is_waiting(task_id), "it waits for its retry")
        process.kill()
    replay_lines = takeover.replay_lines
    monkeypatch.setattr(takeover, "replay_lines", lines_after_the_retry)
    observer = Told()
    manager = TaskManager(dir=str(tmp_path), observers=[observer])
    manager.task(retries=1, delay=0.5)(work)
    manager.start()
    rows = Rows(tmp_path)
    rows.until(lambda: (1, "success") in observer.told and journals(tmp_path) == 1, "all is told")
    manager.stop()
    assert observer.told.index((0, "running")) < observer.told.index((1, "success"))


def test_what_a_stopped_manager_would_be_told_is_over_at_once(tmp_path: Path, rows: Rows, held: Held) -> None:
    consumer = ObserverConsumer(held, offsets=ObserverOffsets(tmp_path))
    replays = ObserverReplays([consumer], Decoder(lambda event: event), lambda: None)
    replays.stop()
    [orphan] = orphans(tmp_path, "default")
    for replay in replays.begin(orphan):
        assert replay.is_over
        assert isinstance(replay.error, JournalError)
    orphan.close()
