"""What a dead process left is very much: the app serves meanwhile, and what needs no lines does not wait for them."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from otel_taskflow import task_log
from otel_taskflow.consumers.replay import replay_lines
from otel_taskflow.lifecycle.decide import is_final
from otel_taskflow.manager import takeover as takeover_module
from otel_taskflow.model import TaskStatus
from tests.conftest import require
from tests.crash import long_journal
from tests.crash.child import Child, child
from tests.crash.rows import Rows, survivor

LINES = 200_000
SERVES_WITHIN = 2.0
NOTICED_WITHIN = 2.0
MORE_MEMORY = 100 * 1024**2
IDLE = {*long_journal.PENDING, long_journal.WAITING}


def left_behind(folder: Path, lines: int) -> int:
    """Leave a long journal; returns its events."""
    with child("long_journal", folder, lines, is_measured=False) as process:
        events = int(process.says("written"))
        process.kill()
    return events


def finished(lines: int) -> int:
    return lines // long_journal.FINISHED_EVERY


def check_all(folder: Path, lines: int, survivor: str | None = None) -> None:
    """Everything is there, once, and every task is what it must be.

    ``survivor``: the worker that lived, if others were killed before it. What one of those had begun may be interrupted.
    """
    rows = Rows(folder)
    found = {each.task.task_id: each for each in rows.tasks()}
    running = found.pop(long_journal.RUNNING)
    assert (running.task.status, running.task.reason) == (TaskStatus.INTERRUPTED, "process_died")
    assert running.task.log_count == running.attempts[0].log_count == lines
    assert [line.seq for line in rows.logs(long_journal.RUNNING)] == list(range(1, lines + 1))
    for task_id in IDLE:
        (task, attempts), messages = found.pop(task_id), rows.messages(task_id)
        assert (task.attempts, task.log_count) == (1 + (task_id == "waiting"), len(messages))
        if task.status is TaskStatus.INTERRUPTED:
            assert survivor is not None
            assert attempts[-1].worker != survivor
            assert len(messages) <= 1
        else:
            assert (task.status, len(messages)) == (TaskStatus.SUCCESS, 1)
    assert set(found) >= {f"finished-{number}" for number in range(1, finished(lines) + 1)}
    for number in range(1, finished(lines) + 1):
        task = found[f"finished-{number}"].task
        assert (task.status, task.log_count) == (TaskStatus.SUCCESS, 1)
        assert rows.messages(task.task_id) == ["done"]
    figures = [each for each in rows.rollups() if each.name == "other"]
    assert sum(each.enqueued for each in figures) == sum(each.succeeded for each in figures) == finished(lines)


class Watched:
    """What the server says of its takeovers."""

    def __init__(self, process: Child) -> None:
        self._process = process
        self.peak = 0
        self.steps: set[str] = set()
        self.takeovers: list[dict[str, Any]] = []

    def look(self) -> Watched:
        found = json.loads(self._process.says("progress"))
        self.peak = max(self.peak, found["memory"])
        self.takeovers = found["takeovers"]
        self.steps.update(each["step"] for each in self.takeovers)
        return self

    def until_begun(self) -> None:
        """Until a takeover goes on: a server may answer before the thread that looks for the dead has found one."""
        deadline = time.monotonic() + NOTICED_WITHIN
        while not self.look().takeovers:
            assert time.monotonic() < deadline

    def until(self, step: str | None) -> None:
        """Until a takeover is at this step, or with None until there is none."""
        deadline = time.monotonic() + 240
        while (step is None and self.takeovers) or (step is not None and step not in self.look().steps):
            assert time.monotonic() < deadline
            self.look()


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_server_with_a_long_takeover_serves_obeys_and_starts_what_had_not_started(tmp_path: Path) -> None:
    require(Path("/proc/self/statm").exists(), "memory is read from /proc")
    events = left_behind(tmp_path, LINES)
    rows = Rows(tmp_path)
    with child("serves_while_taking_over", tmp_path, is_measured=False) as server:
        address, before = server.says("starting").split()
        wait_until_it_answers(address)
        never = server.says("never")
        watched = Watched(server)
        watched.until_begun()
        [progress] = watched.takeovers
        assert progress["total"] == events
        watched.until("lines")
        rows.until(lambda: all(is_final(rows.task(task_id).task.status) for task_id in IDLE), "those at rest ran")
        assert rows.task(long_journal.RUNNING).task.status is TaskStatus.RUNNING

        another_dies(tmp_path, rows)
        cancelled_from_another_process(tmp_path, never)
        assert watched.look().takeovers, "all this was while the takeover went on"
        assert httpx.get(f"{address}/tasks").status_code == 200

        watched.until(None)
        rows.until(lambda: is_final(rows.task(long_journal.RUNNING).task.status), "the running one is settled")
        assert watched.peak - int(before) < MORE_MEMORY
        assert {"lines"} <= watched.steps
    check_all(tmp_path, LINES)


def wait_until_it_answers(address: str) -> None:
    started = time.monotonic()
    while True:
        try:
            if httpx.get(f"{address}/tasks").status_code == 200:
                break
        except httpx.TransportError:
            time.sleep(0.02)
    assert time.monotonic() - started < SERVES_WITHIN


def another_dies(folder: Path, rows: Rows) -> None:
    """A process that leaves little is not held up by the one that left much."""
    with child("worker", folder, is_measured=False) as other:
        task_id = other.asks("never")
        rows.until(lambda: bool(rows.messages(task_id)), "it runs")
        other.kill()
    died = time.monotonic()
    rows.until(lambda: is_final(rows.task(task_id).task.status), "the other dead process's task is settled")
    assert time.monotonic() - died < NOTICED_WITHIN


def cancelled_from_another_process(folder: Path, task_id: str) -> None:
    async def cancel() -> TaskStatus:
        with survivor(folder) as manager:
            row = await manager.cancel(task_id)
            await manager.reader().aclose()
            return row.status

    assert anyio.run(cancel) is TaskStatus.CANCELLED


def test_a_takeover_says_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(takeover_module, "LOG_EVERY", 0.01)
    events = left_behind(tmp_path, 3000)
    seen: list[takeover_module.TakeoverProgress] = []
    with caplog.at_level(logging.INFO, "otel_taskflow"), survivor(tmp_path, quick) as manager:
        takeover = manager.runtime.takeover
        assert takeover is not None
        while not seen or takeover.progress():
            seen.extend(takeover.progress())
            time.sleep(0.002)
        assert manager.drain()
    assert all(0 <= each.done <= each.total == events for each in seen)
    assert any(
        f"of {events} events (states)" in each or f"of {events} events (lines)" in each for each in caplog.messages
    )
    check_all(tmp_path, 3000)


def quick() -> None:
    task_log("here")


def test_what_had_not_started_goes_on_before_the_lines_are_written_and_what_ran_is_settled_behind_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left_behind(tmp_path, 1000)
    gate, rows = threading.Event(), Rows(tmp_path)

    def held_up(*parts: Any) -> Iterator[int]:
        gate.wait(20)
        yield from replay_lines(*parts)

    monkeypatch.setattr(takeover_module, "replay_lines", held_up)
    with survivor(tmp_path, quick) as manager:
        for task_id in IDLE:
            assert rows.settled(task_id).task.status is TaskStatus.SUCCESS
        running = rows.task(long_journal.RUNNING).task
        assert (running.status, running.log_count) == (TaskStatus.RUNNING, 1000)
        assert running.owner != manager.runtime.writer.id
        assert rows.logs(long_journal.RUNNING) == []
        gate.set()
        rows.settled(long_journal.RUNNING)
        assert manager.drain()
    check_all(tmp_path, 1000)
