"""A record is finished before another begins, also where the same thread is sent away in the middle of one."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from otel_taskflow.journal import writer as writers
from otel_taskflow.journal.disk import Disk
from otel_taskflow.journal.reader import LiveReader
from otel_taskflow.journal.segment import SIZE, Segment
from otel_taskflow.journal.writer import JournalWriter
from tests.conftest import ROOT
from tests.journal.support import make_writer

SECONDS = 1.0
HANG = 60.0


@pytest.fixture
def writer() -> Iterator[JournalWriter]:
    writer = make_writer(None)
    yield writer
    writer.close()


def in_the_middle(monkeypatch: pytest.MonkeyPatch, once: Callable[[], object]) -> None:
    """Have this done once in the middle of the next record, by the thread that writes it."""
    pack, left = writers._pack_header, [once]

    def packed(*parts: int) -> bytes:
        if left:
            left.pop()()
        return pack(*parts)

    monkeypatch.setattr(writers, "_pack_header", packed)


def payloads(writer: JournalWriter) -> list[bytes]:
    return [record.payload for record in LiveReader(writer).read(100)]


@pytest.mark.parametrize("outer", ["state", "line"])
def test_what_comes_in_the_middle_of_a_record_is_written_behind_it(
    writer: JournalWriter, outer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def log_and_add() -> None:
        writer.append_log(b"from a destructor", keep=False)
        writer.append(b"from a signal handler")
        assert not writer.try_append(b"not now")

    in_the_middle(monkeypatch, log_and_add)
    if outer == "state":
        assert writer.append(b"first") == 1
    else:
        writer.append_log(b"first", keep=False)
    assert writer.append(b"last") == 4
    assert payloads(writer) == [b"first", b"from a destructor", b"from a signal handler", b"last"]


def test_a_flood_in_the_middle_of_a_record_is_written_in_its_order(
    writer: JournalWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    flood = [b"%d" % number for number in range(2000)]

    def log_all() -> None:
        for each in flood:
            writer.append_log(each, keep=True)

    in_the_middle(monkeypatch, log_all)
    writer.append_log(b"first", keep=True)
    assert [record.payload for record in LiveReader(writer).read(5000)] == [b"first", *flood]


@pytest.mark.parametrize("outer", ["state", "line"])
def test_what_comes_just_before_a_record_takes_nothing_from_its_place(writer: JournalWriter, outer: str) -> None:
    class Measured(bytes):
        """Its length is the first thing that a writer asks for."""

        def __len__(self) -> int:
            if left:
                writer.append_log(left.pop(), keep=True)
            return super().__len__()

    left = [b"from a signal handler"]
    if outer == "state":
        writer.append(Measured(b"a record"))
    else:
        writer.append_log(Measured(b"a record"), keep=True)
    assert sorted(payloads(writer)) == [b"a record", b"from a signal handler"]


def test_what_comes_while_a_segment_is_made_is_written_behind_the_record_that_needs_it(tmp_path: Path) -> None:
    class Interrupted(Disk):
        def create_segment(self, path: Path | None, needed: int = 0) -> Segment:
            if "writer" in made:
                made["writer"].append_log(b"from a signal handler", keep=True)
            return super().create_segment(path, needed)

    made: dict[str, JournalWriter] = {}
    writer = made["writer"] = make_writer(tmp_path, disk=Interrupted())
    large = bytes(SIZE - 10_000)
    writer.append(large)
    writer.append_log(large, keep=True)
    assert payloads(writer) == [large, large, b"from a signal handler"]
    writer.close()


def test_an_exception_in_the_middle_of_a_record_leaves_out_that_one_only(
    writer: JournalWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    for write in (writer.append, lambda payload: writer.append_log(payload, keep=True)):
        in_the_middle(monkeypatch, interrupt)
        with pytest.raises(KeyboardInterrupt):
            write(b"lost")
        write(b"kept")
    assert payloads(writer) == [b"kept", b"kept"]


def test_a_reader_finds_every_record_up_to_the_end_also_while_the_next_is_written(
    writer: JournalWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.append(b"before")
    ends: list[tuple[int, int]] = []
    in_the_middle(monkeypatch, lambda: ends.append((writer.end, len(payloads(writer)))))
    writer.append(b"state")
    in_the_middle(monkeypatch, lambda: ends.append((writer.end, len(payloads(writer)))))
    writer.append_log(b"line", keep=True)
    assert ends == [(1, 1), (2, 2)]


def test_other_threads_wait_for_a_record(writer: JournalWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    def begin_another() -> None:
        other.start()
        other.join(0.1)
        assert other.is_alive()

    other = threading.Thread(target=writer.append, args=(b"second",))
    in_the_middle(monkeypatch, begin_another)
    writer.append(b"first")
    other.join(HANG)
    assert payloads(writer) == [b"first", b"second"]


def test_signal_handlers_and_destructors_that_log_neither_hang_nor_lose_a_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.journal.interrupting", str(tmp_path), str(SECONDS)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=HANG + SECONDS, check=True)
    written = json.loads(done.stdout)
    assert min(written.values()) > 20
    with closing(sqlite3.connect(tmp_path / "tasks.db")) as connection:
        lines = [message for (message,) in connection.execute("SELECT message FROM logs ORDER BY seq")]
    for who, number in written.items():
        mine = [line for line in lines if line.startswith(who)]
        assert sorted(mine) == sorted(f"{who} {each}" for each in range(1, number + 1))
