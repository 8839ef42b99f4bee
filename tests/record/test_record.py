"""A stored row as a record, and as what lists show of it."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_taskflow import TaskRecord, TaskStatus
from otel_taskflow.model import ErrorInfo, SpanIdentity, TaskRow
from otel_taskflow.record import row_to_dict, to_datetime, to_iso
from otel_taskflow.values.lines import iso_micros

MOMENTS = st.integers(0, 4_000_000_000 * 10**9)
MAYBE = st.none() | MOMENTS
TEXTS = st.text(max_size=5)
ROWS = st.builds(
    TaskRow,
    task_id=TEXTS,
    name=TEXTS,
    status=st.sampled_from(TaskStatus),
    created_at=MOMENTS,
    args=st.none() | st.just('{"args":[1],"kwargs":{"a":null}}'),
    tags=st.dictionaries(TEXTS, TEXTS, max_size=2),
    idempotency_key=st.none() | TEXTS,
    held=st.booleans(),
    started_at=MAYBE,
    ended_at=MAYBE,
    waiting_until=MAYBE,
    attempts=st.integers(0, 3),
    error=st.none() | st.builds(ErrorInfo, TEXTS, TEXTS, TEXTS),
    reason=st.none() | TEXTS,
    span=st.none() | st.just(SpanIdentity("1" * 32, "2" * 16)),
    retry_of=st.none() | TEXTS,
    log_count=st.integers(0, 9),
    expires_at=MAYBE,
)


@given(ROWS)
def test_lists_show_of_a_row_what_its_record_does(row: TaskRow) -> None:
    assert TaskRecord.from_row(row).to_dict() == row_to_dict(row)


def test_a_record_has_the_times_of_its_row_cut_to_microseconds_and_its_arguments() -> None:
    row = TaskRow(
        "t1",
        "send_email",
        TaskStatus.SUCCESS,
        1775037600123456789,
        args='{"args":["a@b"],"kwargs":{"copy":true}}',
        idempotency_key="k",
        started_at=1775037601000000000,
        ended_at=1775037603500000999,
        attempts=2,
    )
    record = TaskRecord.from_row(row, ["line"])
    assert record.created_at == datetime(2026, 4, 1, 10, 0, 0, 123456, timezone.utc)
    assert (record.args, record.kwargs, record.idempotency_key) == (("a@b",), {"copy": True}, "k")
    assert (record.duration, record.retries_used, record.logs) == (2.5, 1, ["line"])


@given(MOMENTS)
def test_times_are_shown_to_the_microsecond_as_datetime_does(time_ns: int) -> None:
    assert iso_micros(time_ns) == to_iso(to_datetime(time_ns))


@pytest.mark.parametrize("time_ns", [10**30, -(10**30)])
def test_a_time_beyond_the_calendar_is_a_number_and_no_error(time_ns: int) -> None:
    assert iso_micros(time_ns).startswith(str(time_ns // 10**9))
