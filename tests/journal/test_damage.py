"""A dead journal is read around its damage, and nothing that was not written comes out of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_taskflow.errors import JournalError
from otel_taskflow.journal.frame import pack, read_frame
from otel_taskflow.journal.reader import DeadReader

HEADER = b'{"format":1,"journal_id":"j","created_at":1,"pid":1,"host":"h","boot_id":"b","worker":"w"}'


def write_journal(folder: Path, data: bytes) -> DeadReader:
    folder.mkdir(exist_ok=True)
    (folder / "00000001.seg").write_bytes(pack(0, HEADER) + data)
    return DeadReader(folder)


def records_of(*payloads: bytes) -> list[bytes]:
    return [pack(number, payload) for number, payload in enumerate(payloads, start=1)]


def test_a_torn_tail_is_dropped_and_counted(tmp_path: Path) -> None:
    first, second = records_of(b"first", b"second")
    reader = write_journal(tmp_path / "j", first + second[:-3] + bytes(3000))
    assert [record.payload for record in reader.records()] == [b"first"]
    assert reader.torn == 1


def test_reading_resumes_behind_a_torn_record(tmp_path: Path) -> None:
    first, second, third = records_of(b"first", b"second", b"third")
    reader = write_journal(tmp_path / "j", first + second[:-1] + b"?" + third + bytes(100))
    for _ in range(2):
        assert [record.payload for record in reader.records()] == [b"first", b"third"]
        assert reader.torn == 1


def test_an_untouched_rest_of_a_segment_is_no_damage(tmp_path: Path) -> None:
    reader = write_journal(tmp_path / "j", b"".join(records_of(b"only")) + bytes(10_000))
    assert [record.seq for record in reader.records()] == [1]
    assert reader.torn == 0


def test_segments_are_read_in_the_order_of_their_records_whatever_their_names(tmp_path: Path) -> None:
    records = [pack(number, b"x%d" % number) for number in range(1, 7)]
    for name, part in (
        ("00000001", records[:2]),
        ("00000002", records[4:]),
        ("00000003", records[2:4]),
        ("00000004", []),
    ):
        (tmp_path / f"{name}.seg").write_bytes(pack(0, HEADER) + b"".join(part) + bytes(100))
    (tmp_path / "00000005.seg").write_bytes(bytes(1000))
    assert [record.seq for record in DeadReader(tmp_path).records()] == [1, 2, 3, 4, 5, 6]


def test_reading_on_begins_behind_what_is_known(tmp_path: Path) -> None:
    for number in range(3):
        parts = [pack(seq, b"x") for seq in range(number * 2 + 1, number * 2 + 3)]
        (tmp_path / f"{number}.seg").write_bytes(pack(0, HEADER) + b"".join(parts))
    reader = DeadReader(tmp_path)
    (tmp_path / "0.seg").unlink()  # is not opened for what is known already
    for after in range(2, 7):
        assert [record.seq for record in reader.records(after)] == list(range(after + 1, 7))
    assert reader.last_segment == 5


def test_a_first_record_that_is_larger_than_a_look_tells_the_place_of_its_segment(tmp_path: Path) -> None:
    (tmp_path / "1.seg").write_bytes(pack(0, HEADER) + pack(2, b"second"))
    (tmp_path / "2.seg").write_bytes(pack(0, HEADER) + pack(1, bytes(200_000)))
    assert [record.seq for record in DeadReader(tmp_path).records()] == [1, 2]


def test_a_torn_record_is_counted_once_however_often_it_is_read(tmp_path: Path) -> None:
    first, second = records_of(b"first", b"second")
    reader = write_journal(tmp_path / "j", first + second[:-3] + bytes(3000))
    for _ in range(3):
        assert len(list(reader.records())) == 1
    assert reader.torn == 1


def test_a_journal_of_a_newer_format_is_refused_and_untouched(tmp_path: Path) -> None:
    newer = pack(0, HEADER.replace(b'"format":1', b'"format":2'))
    (tmp_path / "00000001.seg").write_bytes(newer)
    with pytest.raises(JournalError, match="format 2"):
        DeadReader(tmp_path)
    assert (tmp_path / "00000001.seg").read_bytes() == newer


@pytest.mark.failure("V15")
@settings(max_examples=200, deadline=None)
@given(payloads=st.lists(st.binary(max_size=60), max_size=8), data=st.data())
def test_damage_anywhere_never_invents_a_record(
    tmp_path_factory: pytest.TempPathFactory, payloads: list[bytes], data: st.DataObject
) -> None:
    whole = bytearray(b"".join(records_of(*payloads)) + bytes(64))
    for _ in range(data.draw(st.integers(0, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    reader = write_journal(tmp_path_factory.mktemp("j"), bytes(whole))
    found = [(record.seq, record.payload) for record in reader.records()]
    assert found == sorted(found, key=lambda pair: pair[0])
    assert set(found) <= set(enumerate(payloads, start=1))


@given(st.binary(max_size=300), st.integers(0, 300))
def test_no_bytes_make_the_frame_reader_fail(data: bytes, position: int) -> None:
    frame = read_frame(data, position)
    assert frame is None or frame.end <= len(data)
