"""Whatever is out of the ordinary ends the process, and this one goes on where the store is."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from otel_taskflow.consumers.store_process import host
from otel_taskflow.journal.disk import Disk
from otel_taskflow.journal.segment import SIZE, Segment
from otel_taskflow.sqlite.aside import asides
from tests.failures.test_damaged_store import fold_log, pages
from tests.processes.waiting import PATIENCE, is_alive, until
from tests.store_process.counting import Counting


@pytest.fixture(autouse=True)
def said(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "otel_taskflow")
    return caplog


def told(said: pytest.LogCaptureFixture, what: str) -> list[str]:
    return [record.getMessage() for record in said.records if what in record.getMessage()]


def test_when_it_was_quiet_for_a_while(
    counting: Counting, monkeypatch: pytest.MonkeyPatch, said: pytest.LogCaptureFixture
) -> None:
    pid = counting.hand_over()
    monkeypatch.setattr(host, "QUIET", 0.1)
    until(lambda: not counting.process.is_lent)
    assert not is_alive(pid)
    counting.check()
    assert told(said, "does not write") == []


def test_after_a_quiet_time_it_comes_again(counting: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    first = counting.hand_over()
    with monkeypatch.context() as quiet:
        quiet.setattr(host, "QUIET", 0.1)
        until(lambda: not counting.process.is_lent)
    assert counting.hand_over() != first
    counting.check()


@pytest.mark.failure("C1")
def test_when_it_is_killed(counting: Counting, said: pytest.LogCaptureFixture) -> None:
    pid = counting.hand_over()
    for number in range(20):
        counting.add(500)
        if number == 10:
            os.kill(pid, signal.SIGKILL)
    counting.check()
    assert not counting.process.is_lent
    assert len(told(said, "does not write the store any more")) == 1


def test_when_it_stands_still(
    counting: Counting, monkeypatch: pytest.MonkeyPatch, said: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(host, "STILL", 0.5)
    pid = counting.hand_over()
    os.kill(pid, signal.SIGSTOP)
    for _ in range(20):
        counting.add(100)
    counting.check()
    assert not is_alive(pid)
    assert told(said, "has written nothing for")


def test_when_it_does_not_give_back_what_it_was_asked_for(counting: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "END_LIMIT", 0.3)
    pid = counting.hand_over()
    os.kill(pid, signal.SIGSTOP)
    counting.manager.stop()
    until(lambda: not is_alive(pid))
    counting.check_rows()


def test_when_a_record_cannot_be_read(counting: Counting) -> None:
    counting.hand_over()
    counting.manager.runtime.writer.append(b"no event")
    for _ in range(5):
        counting.add(100)
    counting.check()
    assert not counting.process.is_lent
    assert set(counting.manager.runtime.dropped) == {"unreadable"}


def test_when_the_journal_goes_on_in_memory(counting: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    create = Disk.create_segment

    def full(disk: Disk, path: Path | None, needed: int = 0) -> Segment:
        if path is not None:
            raise OSError(28, "No space left on device")
        return create(disk, path, needed)

    counting.hand_over()
    monkeypatch.setattr(Disk, "create_segment", full)
    writer = counting.manager.runtime.writer
    while not writer.is_degraded:
        counting.add(SIZE // 1000)
        assert counting.manager.drain(PATIENCE)
    counting.check()
    assert not counting.process.is_lent


@pytest.mark.failure("S6")
def test_when_the_store_was_replaced_all_that_the_journal_has_is_written_again(
    counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting.hand_over()
    for path in counting.folder.glob("tasks.db*"):
        path.unlink()
    for _ in range(5):
        counting.add(100)
    counting.check()
    assert not counting.process.is_lent
    assert counting.manager.runtime.dropped == {}


@pytest.mark.failure("S6")
def test_when_the_store_is_damaged(counting: Counting) -> None:
    counting.hand_over()
    counting.add(100)
    assert counting.manager.drain(PATIENCE)
    fold_log(counting.folder / "tasks.db")
    pages(counting.folder / "tasks.db")
    for _ in range(5):
        counting.add(100)
    counting.check()
    assert not counting.process.is_lent
    assert len(asides(counting.folder / "tasks.db")) == 1
    assert counting.manager.runtime.dropped == {"store_corrupt": 1}


def test_one_that_ends_before_it_has_anything_to_write_is_not_missed(
    counting: Counting, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: pytest.LogCaptureFixture
) -> None:
    broken = tmp_path / "python3"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(broken))
    for _ in range(20):
        counting.add(100)
        assert counting.manager.drain(PATIENCE)
    counting.check()
    assert counting.process.pid is None
    assert told(said, "write the store") == []


def test_when_it_cannot_be_started(
    counting: Counting, monkeypatch: pytest.MonkeyPatch, said: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    for _ in range(5):
        counting.add(100)
    counting.check()
    assert counting.process.pid is None
    assert len(told(said, "no process could be started")) == 1
