from __future__ import annotations

import json

import pytest

from otel_taskflow.model import TaskStatus
from otel_taskflow.observers.lines import json_line, text_line
from tests.observers.stream import TASK, lifecycle_event, log_event

FORGERIES = [
    "paid\n[deadbeef] [refund] 2026-01-31T12:00:00.000Z forged",
    "paid\r\n[deadbeef] [refund] forged",
    "\x1b[2J\x1b[1;31mred",
    "\x00\x07\x08\x9b31m",
    "a\u2028b\u2029c\x85d\x0be\x0cf",
    "\u202etxt.exe\u2066",
    "lone \ud800 surrogate",
]


def test_a_line_is_the_short_id_the_function_the_time_in_utc_and_the_message() -> None:
    assert text_line(log_event("Sending mail")) == "[01234567] [send_email] 2026-01-31T12:00:00.123Z Sending mail"


def test_a_change_of_state_is_a_line_with_two_dashes() -> None:
    line = text_line(lifecycle_event(TaskStatus.INTERRUPTED))
    assert line == "[01234567] [send_email] 2026-01-31T12:00:00.000Z -- INTERRUPTED"


@pytest.mark.parametrize("text", FORGERIES, ids=ascii)
def test_nothing_in_an_event_can_forge_a_line_or_steer_a_terminal(text: str) -> None:
    for event in (log_event(text), log_event(func_name=text), log_event(task_id=text)):
        line = text_line(event)
        assert line.splitlines() == [line]
        assert line.isprintable()


@pytest.mark.parametrize("text", FORGERIES, ids=ascii)
def test_a_json_line_is_one_line_of_ascii_that_gives_the_message_back(text: str) -> None:
    line = json_line(log_event(text, extra={text: text}))
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["message"] == text
    assert json.loads(line)["extra"] == {text: text}


def test_a_json_line_carries_everything_known_about_a_log_line() -> None:
    event = log_event(
        "Paid",
        level="warning",
        attempt=1,
        seq=7,
        extra={"order": 12, "total": 9.5},
        tags={"tenant": "acme"},
        trace_id="a" * 32,
        span_id="b" * 16,
        logger="shop.payment",
    )
    assert json.loads(json_line(event)) == {
        "time": "2026-01-31T12:00:00.123456+00:00",
        "level": "warning",
        "message": "Paid",
        "task_id": TASK,
        "task": "send_email",
        "attempt": 1,
        "seq": 7,
        "extra": {"order": 12, "total": 9.5},
        "tags": {"tenant": "acme"},
        "trace_id": "a" * 32,
        "span_id": "b" * 16,
        "logger": "shop.payment",
    }


def test_a_json_line_of_a_failure_carries_status_duration_error_and_stack() -> None:
    event = lifecycle_event(TaskStatus.FAILED, retries_used=2, duration=0.25, error="boom", stacktrace="Traceback\n…")
    fields = json.loads(json_line(event))
    assert (fields["status"], fields["level"], fields["message"]) == ("failed", "error", "-- FAILED")
    assert (fields["retries_used"], fields["duration"]) == (2, 0.25)
    assert (fields["error"], fields["stacktrace"]) == ("boom", "Traceback\n…")


def test_values_that_json_does_not_have_become_text() -> None:
    event = log_event(extra={"nan": float("nan"), "in": [float("inf"), {"deep": float("-inf")}], "thing": {1}})
    assert json.loads(json_line(event), parse_constant=pytest.fail)["extra"] == {
        "nan": "nan",
        "in": ["inf", {"deep": "-inf"}],
        "thing": "{1}",
    }
