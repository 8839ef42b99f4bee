"""Disks that are full and folders that cannot be used: tasks go on, or the start says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_taskflow import TaskManager
from otel_taskflow.errors import TaskflowError
from otel_taskflow.model import TaskStatus
from tests.crash.child import child
from tests.crash.rows import Rows

LINES = 8000


@pytest.mark.failure("S2")
@pytest.mark.slow
def test_a_disk_that_fills_up_harms_no_task_and_everything_is_kept_when_there_is_room(tmp_path: Path) -> None:
    with child("disk_fills", tmp_path, LINES) as process:
        has_logged, task_id, is_degraded = process.says("logged").split()
        assert (has_logged, is_degraded) == ("True", "True")
        process.tell("room")
        assert process.says("drained") == "True"
        assert process.ends() == 0
    rows = Rows(tmp_path)
    assert rows.task(task_id).task.status is TaskStatus.SUCCESS
    assert rows.messages(task_id) == [f"line {number}" for number in range(LINES)]
    assert "not crash-safe" in process.stderr


@pytest.mark.failure("S1")
def test_a_start_on_a_full_disk_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with child("starts_on_a_full_disk", tmp_path, "raise") as process:
        refusal = process.says("refused")
        process.ends()
    assert refusal.startswith(("JournalError", "StoreError"))
    assert str(tmp_path) in refusal
    assert "dir=" in refusal or "disk" in refusal


def test_a_start_on_a_full_disk_can_degrade_to_memory(tmp_path: Path) -> None:
    with child("starts_on_a_full_disk", tmp_path, "degrade") as process:
        assert process.says("drained") == "True"
        assert process.ends() == 0
    assert "kept in memory only" in process.stderr


@pytest.mark.failure("S3")
@pytest.mark.parametrize("where", [".", "journal", "tasks.db"])
def test_something_in_the_way_is_named_with_the_remedy(tmp_path: Path, where: str) -> None:
    folder = tmp_path / "state"
    if where == ".":
        folder.write_text("a file")
    else:
        folder.mkdir()
        if where == "journal":
            (folder / where).write_text("a file")
        else:
            (folder / where).mkdir()
    with pytest.raises(TaskflowError) as caught:
        TaskManager(dir=str(folder)).start()
    assert str(folder) in str(caught.value)
    assert any(remedy in str(caught.value) for remedy in ("choose another", "check that disk"))


@pytest.mark.failure("S3")
def test_something_in_the_way_can_degrade_to_memory(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "state").write_text("a file")
    manager = TaskManager(dir=str(tmp_path / "state"), on_store_error="degrade")
    ran: list[str] = []
    manager.add_task(lambda: ran.append("yes"))
    assert manager.drain()
    manager.stop()
    assert ran == ["yes"]
    assert "kept in memory only" in caplog.text
