"""What was appended is there, in order, once."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_taskflow.errors import JournalError
from otel_taskflow.journal import reader as readers
from otel_taskflow.journal.disk import Disk
from otel_taskflow.journal.mark import read_end
from otel_taskflow.journal.reader import DeadReader, LiveReader
from otel_taskflow.journal.segment import SIZE, Segment
from otel_taskflow.journal.writer import JournalWriter
from tests.conftest import ROOT
from tests.journal.support import header, make_writer


@pytest.fixture(params=["on disk", "in memory"])
def writer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[JournalWriter]:
    writer = make_writer(tmp_path if request.param == "on disk" else None)
    yield writer
    writer.close()


def read_all(reader: LiveReader) -> list[bytes]:
    batches = iter(lambda: reader.read(100), [])
    return [record.payload for record in itertools.chain.from_iterable(batches)]


def test_records_come_back_in_the_order_of_their_numbers(writer: JournalWriter) -> None:
    reader = LiveReader(writer)
    writer.append(b"state")
    writer.append_log(b"line", keep=False)
    assert [tuple(record) for record in reader.read(10)] == [(1, b"state"), (2, b"line")]
    assert reader.read(10) == []
    assert writer.append(b"more") == 3
    assert [record.seq for record in reader.read(10)] == [3]


def test_a_reader_follows_over_many_segments(writer: JournalWriter) -> None:
    reader = LiveReader(writer)
    lines = [b"%d" % number + bytes(100_000) for number in range(150)]
    for line in lines:
        writer.append_log(line, keep=True)
        writer.prepare()
    assert len(writer.segments) > 3
    assert read_all(reader) == lines


def test_a_reader_can_begin_anywhere(writer: JournalWriter) -> None:
    for number in range(100):
        writer.append(b"%d" % number + bytes(200_000))
    assert [record.seq for record in LiveReader(writer, after=77).read(3)] == [78, 79, 80]


def test_a_reader_can_be_moved_forwards_and_back_over_segments(writer: JournalWriter) -> None:
    for number in range(100):
        writer.append(b"%d" % number + bytes(200_000))
    reader = LiveReader(writer)
    for after in (0, 1, 40, 41, 42, 99, 3, 77, 76, 75, 0):
        reader.move(after)
        assert [record.seq for record in reader.read(2)] == [seq for seq in (after + 1, after + 2) if seq <= 100]
    assert reader.skipped == 0


def test_a_record_that_ends_its_segment_while_the_reader_looks_is_not_passed_over(
    writer: JournalWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = LiveReader(writer)
    writer.append(b"first")
    assert len(reader.read(1)) == 1
    writer.append(b"the last of its segment")

    def look_too_early(buffer: bytes | memoryview, position: int) -> None:
        """The record is not whole yet; then it is, and the writer goes on."""
        monkeypatch.undo()
        writer.append(bytes(SIZE))

    monkeypatch.setattr(readers, "read_frame", look_too_early)
    assert reader.read(10) == []
    assert [record.seq for record in reader.read(10)] == [2, 3]
    assert reader.skipped == 0


def test_segments_that_were_consumed_go(tmp_path: Path) -> None:
    writer = make_writer(tmp_path)
    for _ in range(100):
        writer.append(bytes(200_000))
    assert writer.folder is not None
    before = len(list(writer.folder.glob("*.seg")))
    writer.reclaim(90)
    assert len(list(writer.folder.glob("*.seg"))) < before
    late = LiveReader(writer)
    assert late.read(200)[-1].seq == 100
    assert [record.seq for record in LiveReader(writer, after=90).read(200)] == list(range(91, 101))


def test_beyond_the_budget_lines_below_error_are_dropped_and_counted(tmp_path: Path) -> None:
    writer = make_writer(tmp_path, budget=2 * SIZE)
    while not writer.dropped["journal_budget"]:
        writer.append_log(bytes(100_000), keep=False)
    end = writer.end
    writer.append_log(b"below", keep=False)
    assert writer.end == end
    writer.append_log(b"an error", keep=True)
    assert writer.append(b"a state") == end + 2
    assert writer.dropped["journal_budget"] == 2


def test_an_event_that_no_record_can_hold_is_refused(writer: JournalWriter) -> None:
    with pytest.raises(JournalError, match="larger than a journal record"):
        writer.append(bytes(20_000_000))
    assert writer.append(b"the next") == 1


def test_a_record_larger_than_a_segment_gets_one_of_its_size(writer: JournalWriter) -> None:
    writer.append(bytes(6_000_000))
    writer.append(b"after")
    assert [len(record.payload) for record in LiveReader(writer).read(9)] == [6_000_000, 5]


def test_a_finished_journal_leaves_no_files_and_an_unfinished_one_does(tmp_path: Path) -> None:
    done, left = make_writer(tmp_path), make_writer(tmp_path)
    done.append(b"x")
    left.append(b"x")
    done.close(consumed=1)
    left.close(consumed=0)
    assert [folder.name for folder in (tmp_path / "journal").iterdir()] == [left.id]


def test_its_end_can_be_read_by_others(tmp_path: Path) -> None:
    writer = make_writer(tmp_path)
    for _ in range(7):
        writer.append(b"x")
    assert writer.folder is not None
    assert read_end(writer.folder) == 7


def test_a_closed_journal_refuses_states_and_counts_lines(writer: JournalWriter) -> None:
    writer.close()
    with pytest.raises(JournalError, match="closed"):
        writer.append(b"x")
    writer.append_log(b"x", keep=True)
    assert writer.dropped["journal_unwritable"] == 1


class RefusingDisk(Disk):
    """Makes no files."""

    def __init__(self, number: int = errno.ENOSPC) -> None:
        self.number: int | None = number

    def create_segment(self, path: Path | None, needed: int = 0) -> Segment:
        if path is not None and self.number is not None:
            raise OSError(self.number, os.strerror(self.number))
        return super().create_segment(path, needed)


def test_a_folder_that_cannot_be_written_is_an_error_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "journal").write_text("a file in the way")
    with pytest.raises(JournalError, match="move what is in the way or choose another folder with dir="):
        JournalWriter.create(tmp_path, header())


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "free some disk space"),
        (errno.EDQUOT, "free some disk space"),
        (errno.EROFS, "make the folder writable"),
        (errno.EACCES, "make the folder writable"),
        (errno.EMFILE, "raise the limit on open files"),
        (errno.ENAMETOOLONG, "give it a shorter path"),
        (errno.EIO, "check that disk"),
    ],
)
def test_what_to_do_depends_on_what_is_wrong(
    tmp_path: Path, number: int, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(JournalError, match=words):
        make_writer(tmp_path, disk=RefusingDisk(number))
    disk = RefusingDisk(number)
    disk.number = None
    writer = make_writer(tmp_path, disk=disk)
    disk.number = number
    writer.append(bytes(SIZE))
    assert words in caplog.text


def test_a_journal_that_could_not_be_made_leaves_nothing_behind(tmp_path: Path) -> None:
    open_files = len(list(Path("/dev/fd").iterdir()))
    for _ in range(3):
        with pytest.raises(JournalError):
            make_writer(tmp_path, disk=RefusingDisk())
    assert list((tmp_path / "journal").iterdir()) == []
    assert len(list(Path("/dev/fd").iterdir())) <= open_files


def test_a_spare_that_comes_late_is_not_used_after_a_segment_with_a_higher_number(tmp_path: Path) -> None:
    lines = [b"%d" % number + bytes(SIZE // 3) for number in range(20)]
    left = iter(lines)

    class SlowDisk(Disk):
        """While a spare is made, the writer goes on to the next segment."""

        is_slow = False

        def create_segment(self, path: Path | None, needed: int = 0) -> Segment:
            if self.is_slow:
                self.is_slow = False
                for _ in range(4):
                    writer.append(next(left))
            return super().create_segment(path, needed)

    disk = SlowDisk()
    writer = make_writer(tmp_path, disk=disk)
    for _ in range(2):
        writer.append(next(left))
    disk.is_slow = True
    writer.prepare()
    for line in left:
        writer.append(line)
    assert [record.payload for record in LiveReader(writer).read(99)] == lines
    assert writer.folder is not None
    names = [path.name for path in sorted(writer.folder.glob("*.seg"))]
    assert names == [segment.path.name for segment in writer.segments if segment.path is not None]
    assert [record.payload for record in DeadReader(writer.folder).records()] == lines


def test_a_spare_that_is_too_small_leaves_no_file(tmp_path: Path) -> None:
    writer = make_writer(tmp_path)
    writer.append(bytes(SIZE // 2))
    writer.prepare()
    writer.append(bytes(2 * SIZE))
    assert writer.folder is not None
    assert len(list(writer.folder.glob("*.seg"))) == len(writer.segments) == 2


def test_a_dead_journal_is_read_in_the_order_of_its_records_whatever_its_files_are_called(tmp_path: Path) -> None:
    writer = make_writer(tmp_path)
    lines = [b"%d" % number + bytes(SIZE // 3) for number in range(12)]
    for line in lines:
        writer.append(line)
    copy = tmp_path / "copy"
    assert writer.folder is not None
    shutil.copytree(writer.folder, copy)
    first, second, *_ = sorted(copy.glob("*.seg"))
    first.rename(copy / "spare")
    second.rename(first)
    (copy / "spare").rename(second)
    reader = DeadReader(copy)
    for _ in range(2):
        assert [record.payload for record in reader.records()] == lines


FORK = """
import os, sys
from pathlib import Path
from tests.conftest import ROOT
from tests.journal.support import make_writer
writer = make_writer(Path(sys.argv[1]))
writer.append(b"parent")
child = os.fork()
if child == 0:
    writer.append_log(b"child", keep=True)
    os._exit(0 if writer.dropped["journal_unwritable"] == 1 else 1)
assert os.waitpid(child, 0)[1] == 0
assert writer.append(b"parent again") == 2
"""


def test_a_forked_child_writes_nothing_into_its_parents_journal(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", FORK, str(tmp_path)], cwd=ROOT, check=True, timeout=60)


def test_a_dead_journal_is_read_to_its_end(tmp_path: Path) -> None:
    writer = make_writer(tmp_path)
    lines = [b"%d" % number + bytes(50_000) for number in range(200)]
    for line in lines:
        writer.append(line)
    assert writer.folder is not None
    copy = tmp_path / "copy"
    shutil.copytree(writer.folder, copy)
    reader = DeadReader(copy)
    assert [record.payload for record in reader.records()] == lines
    assert reader.torn == 0
    assert reader.header == writer.header


def test_its_size_is_that_of_its_files_also_with_large_records(tmp_path: Path) -> None:
    writer = make_writer(tmp_path)
    for _ in range(3):
        writer.append(bytes(3 * SIZE))
    assert writer.folder is not None
    files = sum(path.stat().st_size for path in writer.folder.glob("*.seg"))
    assert writer.health().figures["bytes"] == files > 9 * SIZE
    writer.close(writer.end)
