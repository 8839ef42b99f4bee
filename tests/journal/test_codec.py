"""Events come back from bytes as they were."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_taskflow.errors import JournalError
from otel_taskflow.events import (
    AttemptEnded,
    AttemptStarted,
    TaskAdopted,
    TaskEnqueued,
    TaskLogged,
    TaskReleased,
    TaskRetried,
    TaskSettled,
)
from otel_taskflow.journal.codec import decode, decode_prefix, encode, encode_log, is_line, line_prefix, log_prefix
from otel_taskflow.model import AttemptOutcome, ErrorInfo, SpanIdentity, TaskStatus

SPAN = SpanIdentity("0" * 31 + "1", "0" * 15 + "2", None, 1, "vendor=1")
texts = st.text(st.characters(exclude_categories=["Cs"]))
plain = st.one_of(texts, st.booleans(), st.none(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False))
extras = st.dictionaries(texts, plain, max_size=5)
times = st.integers(0, 2**63 - 1)

EVENTS = [
    TaskEnqueued(
        "t", 1, "f", '{"args":[1]}', {"a": "b"}, "key", "manual", True, SPAN, {"traceparent": "x"}, 3, "thread"
    ),
    TaskEnqueued("t", 1, "f", None, {}, None, "manual", False, None, {}, 1, "async", "old", True),
    TaskEnqueued("t", 1, "f", None, {}, None, "manual", False, None, {}, 1, "async", expires_at=7),
    TaskReleased("t", 2),
    AttemptStarted("t", 3, 0, SPAN, "host:1", 17),
    AttemptEnded("t", 4, 0, 5, AttemptOutcome.SUCCEEDED, TaskStatus.SUCCESS, None, None, None, 3),
    AttemptEnded(
        "t", 4, 0, 5, AttemptOutcome.RETRYING, TaskStatus.RUNNING, ErrorInfo("ValueError", "no", "Trace"), 9, "why", 0
    ),
    TaskSettled("t", 5, TaskStatus.CANCELLED, "user"),
    TaskRetried("t", 6, "new"),
    TaskAdopted("t", 7, "journal"),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_each_kind_of_event_comes_back_as_it_was(event: Any) -> None:
    back = decode(encode(event))
    assert back == event
    assert type(back) is type(event)


ENQUEUED_BY_0_1 = b'["E","t",1,"f","{}",{"a":"b"},null,"manual",false,null,{},1,"thread",null,true]'


def test_a_task_of_the_release_before_comes_back() -> None:
    assert decode(ENQUEUED_BY_0_1) == TaskEnqueued(
        "t", 1, "f", "{}", {"a": "b"}, None, "manual", False, None, {}, 1, "thread", None, True, None
    )


@pytest.mark.failure("C16")
@pytest.mark.parametrize(
    "event", [*EVENTS, TaskLogged("t", 1, 0, 1, "info", "m", {})], ids=lambda each: type(each).__name__
)
def test_what_a_later_release_adds_at_the_end_of_an_event_is_left_out(event: Any) -> None:
    whole = event._replace(expires_at=7) if isinstance(event, TaskEnqueued) else event
    assert decode(encode(whole)[:-1] + b',{"of":"the future"}]') == whole


def test_a_plain_line_of_a_later_release_comes_back() -> None:
    payload = encode_log(log_prefix("task", 2), 3, 5, "info", "m", {})
    assert decode(payload[:-1] + b",1]") == TaskLogged("task", 3, 2, 5, "info", "m", {})


@given(task_id=texts, attempt=st.integers(0, 10**6), message=texts, extra=extras)
def test_a_plain_line_tells_its_task_and_attempt_undecoded(
    task_id: str, attempt: int, message: str, extra: dict[str, Any]
) -> None:
    prefix = log_prefix(task_id, attempt)
    payload = encode_log(prefix, 1, 1, "info", message, extra)
    assert is_line(payload)
    if '"' not in task_id:  # ids are UUIDs
        assert line_prefix(payload) == prefix
        assert decode_prefix(prefix) == (task_id, attempt)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_other_records_are_no_plain_lines(event: Any) -> None:
    assert not is_line(encode(event))
    assert line_prefix(encode(event)) is None


def test_a_careful_line_is_a_line_that_has_to_be_decoded() -> None:
    payload = encode(TaskLogged("task", 1, 0, 1, "info", "m", {}, "urllib3", True))
    assert is_line(payload)
    assert line_prefix(payload) is None


@pytest.mark.parametrize("payload", [b'["l","t",x,1]', b'["l","t",null,1]', b'["l","t"', b'["l","t","a",1]'])
def test_what_only_begins_like_a_line_tells_nothing(payload: bytes) -> None:
    prefix = line_prefix(payload)
    assert prefix is None or decode_prefix(prefix) is None


@given(time=times, level=st.sampled_from(["debug", "error"]), message=texts, extra=extras)
def test_a_plain_log_line_comes_back_as_it_was(time: int, level: str, message: str, extra: dict[str, Any]) -> None:
    payload = encode_log(log_prefix("task", 2), time, 5, level, message, extra)
    assert decode(payload) == TaskLogged("task", time, 2, 5, level, message, extra)


@given(message=texts, extra=extras)
def test_a_careful_log_line_comes_back_as_it_was(message: str, extra: dict[str, Any]) -> None:
    event = TaskLogged("task", 1, 0, 1, "info", message, extra, "urllib3", True)
    assert decode(encode(event)) == event


@given(st.binary(max_size=200))
def test_bytes_that_are_no_event_are_an_error_that_says_so(data: bytes) -> None:
    with pytest.raises(JournalError):
        decode(data)
