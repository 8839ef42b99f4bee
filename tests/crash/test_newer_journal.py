"""A journal of a newer release is refused clearly and not touched, and holds up nobody else's tasks."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import pytest

from otel_taskflow.journal.frame import pack, read_frame
from otel_taskflow.model import TaskStatus
from tests.crash.child import child
from tests.crash.rows import Rows, survivor


def make_newer(segment: Path) -> None:
    """Rewrite the header as a release with format 2 would have written it."""
    data = segment.read_bytes()
    frame = read_frame(data, 0)
    assert frame is not None
    header = pack(0, json.dumps({**json.loads(frame.payload), "format": 2}).encode())
    segment.write_bytes(header + data[frame.end :])


def left_by_a_killed_process(folder: Path) -> str:
    with child("one_running", folder) as process:
        task_id = process.says("running").split()[0]
        process.kill()
    return task_id


@pytest.mark.failure("C16")
def test_a_newer_journal_is_left_alone_and_the_others_are_taken_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    task_id = left_by_a_killed_process(tmp_path)
    [ours] = (tmp_path / "journal").iterdir()
    newer = [ours.with_name(f"default-{digit * 32}") for digit in "0f"]
    for folder in newer:
        shutil.copytree(ours, folder)
        make_newer(folder / "00000001.seg")
    before = [(folder / "00000001.seg").read_bytes() for folder in newer]

    with caplog.at_level(logging.WARNING, "otel_taskflow"), survivor(tmp_path) as manager:
        assert Rows(tmp_path).settled(task_id).task.status is TaskStatus.INTERRUPTED
        Rows(tmp_path).until(lambda: not ours.exists() and len(caplog.records) >= 2, "every journal was looked at")
        assert manager.drain()

    assert [(folder / "00000001.seg").read_bytes() for folder in newer] == before
    told = [record.getMessage() for record in caplog.records if "format 2" in record.getMessage()]
    assert len(told) == 2
    assert all("upgrade otel-taskflow" in each for each in told)
