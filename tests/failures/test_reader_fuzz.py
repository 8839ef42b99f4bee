"""A journal damaged at random: its reader never raises, never invents a record, and finds everything that is undamaged."""

from __future__ import annotations

import contextlib
import json
import string

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from otel_taskflow.errors import JournalError
from otel_taskflow.journal.codec import decode
from otel_taskflow.journal.frame import pack
from otel_taskflow.journal.reader import DeadReader
from otel_taskflow.journal.segment import segment_name
from tests.journal.test_damage import HEADER

CALM = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
PAYLOADS = st.text(max_size=80).map(lambda text: json.dumps(["L", text]).encode())
SEGMENTS = st.lists(st.lists(PAYLOADS, max_size=6), min_size=1, max_size=4)
PLACE = st.floats(0, 1, exclude_max=True)
"""Where in a segment, as a part of its length."""
DAMAGES = st.one_of(
    st.tuples(st.just("flip"), PLACE, st.integers(1, 255)),
    st.tuples(st.just("zero"), PLACE, st.integers(1, 600)),
    st.tuples(st.just("cut"), PLACE, st.just(0)),
    st.tuples(st.just("remove"), PLACE, st.integers(1, 200)),
    st.tuples(st.just("insert"), PLACE, st.binary(min_size=1, max_size=200)),
)


def damaged(data: bytes, kind: str, place: float, what: int | bytes) -> bytes:
    at = int(place * len(data))
    if isinstance(what, bytes):
        return data[:at] + what + data[at:]
    if kind == "flip":
        return data[:at] + bytes([data[at] ^ what]) + data[at + 1 :] if data else data
    if kind == "zero":
        return data[:at] + bytes(min(what, len(data) - at)) + data[at + what :]
    return data[:at] if kind == "cut" else data[:at] + data[at + what :]


@pytest.mark.failure("V15")
@example([[]], [(0, ("zero", 0.02734375, 8))], set())  # zeros that are a sound record of nothing
@CALM
@given(SEGMENTS, st.lists(st.tuples(st.integers(0, 3), DAMAGES), max_size=6), st.sets(st.integers(0, 3), max_size=1))
def test_what_is_undamaged_is_found_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory,
    payloads: list[list[bytes]],
    damages: list[tuple[int, tuple[str, float, int | bytes]]],
    lost: set[int],
) -> None:
    numbers = iter(range(1, 1000))
    written = [[(next(numbers), payload) for payload in segment] for segment in payloads]
    files = [pack(0, HEADER) + b"".join(pack(*record) for record in segment) + bytes(50) for segment in written]
    for number, damage in damages:
        if number < len(files):
            files[number] = damaged(files[number], *damage)
    folder = tmp_path_factory.mktemp("journal")
    for number, data in enumerate(files):
        if number not in lost:
            (folder / segment_name(number + 1)).write_bytes(data)

    found = [(record.seq, record.payload) for record in DeadReader(folder).records()]

    undamaged = [
        record
        for number, segment in enumerate(written)
        for record in segment
        if number not in lost and pack(*record) in files[number]
    ]
    assert found == undamaged


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.failure("V15")
@CALM
@given(st.sampled_from(list("ERSLlFXYA") + list(string.ascii_letters)), st.lists(JSON, max_size=16))
def test_a_record_that_no_release_wrote_is_an_error_that_the_tailer_knows(kind: str, fields: list[object]) -> None:
    with contextlib.suppress(JournalError):
        decode(json.dumps([kind, *fields]).encode())


@pytest.mark.failure("V15")
@CALM
@given(st.binary(max_size=200))
def test_bytes_are_an_event_or_an_error_that_the_tailer_knows(payload: bytes) -> None:
    with contextlib.suppress(JournalError):
        decode(payload)
