"""What cannot be read is left out and counted once, whoever reads."""

from __future__ import annotations

import pytest

from otel_taskflow.consumers import slices
from otel_taskflow.consumers.slices import Decoder
from otel_taskflow.journal.reader import Record
from otel_taskflow.ports import JournalHeader

HEADER = JournalHeader("default.one", created_at=1, pid=1, host="host", boot_id="boot", worker="worker")
RECORDS = [Record(seq, b"no event") for seq in range(1, 4)]


def read_all(decoder: Decoder, header: JournalHeader = HEADER) -> int:
    """The last number that was read."""
    return [piece.last for piece in decoder.slices_of(header, RECORDS, 0)][-1]


def test_each_record_left_out_is_counted_once_although_several_read_it() -> None:
    decoder = Decoder()
    assert [read_all(decoder), read_all(decoder)] == [3, 3]
    assert decoder.dropped == {"unreadable": 3}


def test_records_of_different_journals_are_counted_each() -> None:
    decoder = Decoder()
    read_all(decoder)
    read_all(decoder, HEADER._replace(journal_id="default.another"))
    assert decoder.dropped == {"unreadable": 6}


def test_what_is_remembered_of_them_is_bounded_and_the_rest_counted_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(slices, "LEFT_OUT", 2)
    decoder = Decoder()
    read_all(decoder)
    assert decoder.dropped == {"unreadable": 3}
    read_all(decoder)
    assert decoder.dropped == {"unreadable": 4}
