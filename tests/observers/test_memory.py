from __future__ import annotations

import threading

import pytest

from otel_taskflow.errors import ConfigurationError
from otel_taskflow.observers import InMemoryLogger
from tests.observers.stream import lifecycle_event, log_event


def test_lines_and_changes_of_state_are_kept_in_lists() -> None:
    memory = InMemoryLogger()
    log, lifecycle = log_event(level="debug"), lifecycle_event()
    memory.on_log(log)
    memory.on_lifecycle(lifecycle)
    assert memory.log_events == [log]
    assert memory.lifecycle_events == [lifecycle]


def test_min_level_holds_for_lines_only() -> None:
    memory = InMemoryLogger(min_level="error")
    memory.on_log(log_event(level="warning"))
    memory.on_lifecycle(lifecycle_event())
    assert (len(memory.log_events), len(memory.lifecycle_events)) == (0, 1)


def test_clear_forgets_everything() -> None:
    memory = InMemoryLogger()
    memory.on_log(log_event())
    memory.on_lifecycle(lifecycle_event())
    memory.clear()
    assert memory.log_events == memory.lifecycle_events == []


def test_only_the_newest_are_kept() -> None:
    memory = InMemoryLogger(max_events=3)
    for number in range(10):
        memory.on_log(log_event(str(number)))
    assert [event.message for event in memory.log_events] == ["7", "8", "9"]


def test_a_list_once_read_does_not_change() -> None:
    memory = InMemoryLogger()
    read = memory.log_events
    memory.on_log(log_event())
    assert read == []


def test_threads_may_write_and_read_at_once() -> None:
    memory = InMemoryLogger()

    def write() -> None:
        for _ in range(500):
            memory.on_log(log_event())
            assert memory.log_events

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(memory.log_events) == 2000


@pytest.mark.parametrize(
    "limit", [0, -1, True, "10", 10**30, 10**5000], ids=lambda limit: repr(limit)[:9] if limit != 10**5000 else "huge"
)
def test_a_limit_that_cannot_be_is_refused(limit: int) -> None:
    with pytest.raises(ConfigurationError, match="max_events"):
        InMemoryLogger(max_events=limit)
