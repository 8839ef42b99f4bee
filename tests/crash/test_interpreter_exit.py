"""Logging while the interpreter goes down raises nothing, and what was in time is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_taskflow.model import TaskStatus
from tests.crash.child import child
from tests.crash.rows import Rows, survivor


@pytest.mark.failure("C13")
def test_lines_at_interpreter_shutdown_are_kept_or_counted_and_nothing_is_raised(tmp_path: Path) -> None:
    with child("logs_at_the_end", tmp_path) as process:
        task_id = process.says("task")
        assert process.ends() == 0
    assert process.stderr == ""
    rows = Rows(tmp_path)
    with survivor(tmp_path):
        rows.until(lambda: len(list((tmp_path / "journal").iterdir())) == 1, "what was left is replayed")
        assert rows.settled(task_id).task.status is TaskStatus.SUCCESS
        messages = rows.messages(task_id)
    assert "in atexit, before ours ends" in messages
    assert "in a daemon thread" in messages
    assert "in atexit, after ours ended" not in messages
