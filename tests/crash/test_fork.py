"""A process forks while tasks run: the child has a journal of its own, and the parent goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_taskflow.model import TaskStatus
from tests.crash.child import child
from tests.crash.rows import Rows

FORKS = 5


@pytest.mark.failure("C15")
@pytest.mark.slow
def test_forked_children_and_their_parent_do_each_other_no_harm(tmp_path: Path) -> None:
    # Coverage has a lock of its own, which a thread that is not there any more may hold in a forked child.
    with child("forks", tmp_path, FORKS, is_measured=False) as process:
        parents, journal = process.says("parent").split()
        children = [process.says("child").split() for _ in range(FORKS)]
        process.says("gone")
        assert process.ends() == 0
    assert process.stderr == ""

    rows = Rows(tmp_path)
    for pid, task_id, own_journal, heard, context in children:
        assert own_journal != journal
        assert (heard, context) == ("['in-the-child']", "None")
        assert rows.task(task_id).task.status is TaskStatus.SUCCESS
        assert rows.messages(task_id) == [f"in {pid}"]
    found = rows.task(parents)
    assert found.task.status is TaskStatus.SUCCESS
    assert len(found.attempts) == 1
    assert rows.messages(parents) == [f"{when} {n}" for n in range(FORKS) for when in ("before", "after")]
    assert not list((tmp_path / "journal").iterdir())


@pytest.mark.failure("C15")
def test_an_async_task_of_a_forked_child_does_not_wait_for_the_loop_of_its_parents_app(tmp_path: Path) -> None:
    with child("forks_in_a_lifespan", tmp_path, is_measured=False) as process:
        task_id, is_drained = process.says("child").split()
        process.says("gone")
        assert process.ends() == 0
    assert is_drained == "True"
    assert Rows(tmp_path).task(task_id).task.status is TaskStatus.SUCCESS


@pytest.mark.failure("C15")
def test_a_forked_child_that_has_added_nothing_is_not_started_and_has_nothing_to_wait_for(tmp_path: Path) -> None:
    with child("forks_and_asks", tmp_path, is_measured=False) as process:
        is_started, is_drained, is_flushed, dropped = process.says("child").split()
        assert process.says("parent").split() == ["True", "False"]
        assert process.ends() == 0
    assert (is_started, is_drained, is_flushed, dropped) == ("False", "True", "True", "0")
