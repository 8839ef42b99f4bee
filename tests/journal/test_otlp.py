"""Encoded messages in a journal: what goes in comes out, and what is left of a journal can be read alone."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_taskflow.errors import JournalError
from otel_taskflow.events import TaskReleased
from otel_taskflow.journal.codec import encode
from otel_taskflow.journal.otlp import (
    Declaration,
    Encoded,
    Origin,
    decode_otlp,
    encode_declaration,
    encode_message,
    is_otlp,
)
from otel_taskflow.journal.reader import DeadReader, LiveReader
from otel_taskflow.journal.segment import SIZE
from tests.journal.support import make_writer

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
origins = st.builds(Origin, texts, texts, st.binary(max_size=50), texts, st.binary(max_size=50), texts)
numbers = st.integers(1, 2**32 - 1)
ORIGIN = Origin("otlp", "traces", b"resource", "", b"scope", "https://schema")


@given(origin=st.one_of(numbers, origins), time=st.integers(0, 2**63 - 1), body=st.binary(max_size=200))
def test_a_message_comes_back_as_it_was(origin: int | Origin, time: int, body: bytes) -> None:
    payload = encode_message(origin, time, body)
    assert decode_otlp(payload) == Encoded(origin, time, body)
    assert is_otlp(payload)


@given(number=numbers, origin=origins)
def test_a_declaration_comes_back_as_it_was(number: int, origin: Origin) -> None:
    assert decode_otlp(encode_declaration(number, origin)) == Declaration(number, origin)


def test_a_time_that_no_file_can_hold_is_the_nearest_that_it_can() -> None:
    assert decode_otlp(encode_message(1, -5, b"")) == Encoded(1, 0, b"")
    assert decode_otlp(encode_message(1, 2**70, b"")) == Encoded(1, 2**63 - 1, b"")


def test_an_event_is_not_taken_for_one() -> None:
    payload = encode(TaskReleased("t", 2))
    assert not is_otlp(payload)
    with pytest.raises(JournalError, match="its kind 0x5b is unknown"):
        decode_otlp(payload)


@given(st.binary(max_size=100))
def test_whatever_else_is_there_is_an_error_that_says_so(noise: bytes) -> None:
    for payload in (noise, b"\xd0" + noise, b"\xd2" + noise):
        with suppress(JournalError):
            decode_otlp(payload)


def test_a_record_is_not_written_where_a_file_must_be_made_first(tmp_path: Path) -> None:
    writer = make_writer(tmp_path)
    megabyte = bytes(1024 * 1024)
    assert [writer.try_append(megabyte) for _ in range(4)] == [True, True, True, False]
    assert not writer.has_spare()
    writer.prepare()
    assert writer.has_spare()
    assert writer.try_append(megabyte)
    assert (writer.end, len(writer.segments)) == (4, 2)
    writer.close(writer.end)
    with pytest.raises(JournalError, match="is closed"):
        writer.try_append(b"late")


def test_a_segment_is_made_early_on_request_only(tmp_path: Path) -> None:
    writer = make_writer(tmp_path)
    writer.prepare()
    assert not writer.has_spare()
    writer.prepare(early=True)
    assert writer.has_spare()
    writer.close(writer.end)


def test_beyond_the_budget_a_record_is_counted_but_a_pinned_one_is_kept(tmp_path: Path) -> None:
    writer = make_writer(tmp_path, budget=1)
    large = bytes(SIZE - 100_000)
    assert writer.try_append(large)  # one segment is always there
    writer.prepare(early=True)
    assert writer.try_append(large)
    assert writer.try_append(b"message")
    assert writer.try_append(b"declaration", pinned=True)
    assert writer.dropped == {"journal_budget": 1}
    assert [record.payload for record in LiveReader(writer).read(10)] == [large, large, b"declaration"]
    writer.close(writer.end)


def test_what_is_left_of_a_journal_begins_with_the_pinned_records(tmp_path: Path) -> None:
    writer = make_writer(tmp_path)
    declaration = encode_declaration(1, ORIGIN)
    writer.try_append(declaration, pinned=True)
    body = bytes(1024 * 1024)
    for time in range(8):
        writer.prepare(early=True)
        assert writer.try_append(encode_message(1, time, body))
    live = [decode_otlp(record.payload) for record in LiveReader(writer).read(100)]
    assert [each.time for each in live if isinstance(each, Encoded)] == list(range(8))
    writer.reclaim(writer.end)
    writer.close()
    assert writer.folder is not None
    left = [decode_otlp(record.payload) for record in DeadReader(writer.folder).records()]
    assert left[0] == Declaration(1, ORIGIN)
    assert [each.time for each in left if isinstance(each, Encoded)] == [6, 7]
