"""What an answer means."""

from __future__ import annotations

import pytest

from otel_taskflow.export.answers import Delivered, Hold, Retry, Split, Verdict, judge, retry_after

NOW = 1_780_000_000 * 10**9


def judged(status: int, body: bytes = b"", **headers: str) -> Verdict:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return judge(status, {"content-type": "text/plain", **named}, body, "traces", NOW)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_every_2xx_is_delivered(status: int) -> None:
    assert judged(status) == Delivered()


@pytest.mark.parametrize("status", [408, 429, 500, 501, 502, 503, 504, 599, 100, 600])
def test_what_may_pass_is_tried_again(status: int) -> None:
    assert isinstance(judged(status), Retry)


@pytest.mark.parametrize("status", [400, 413, 422])
def test_what_is_about_the_records_is_split(status: int) -> None:
    verdict = judged(status, b"bad record")
    assert isinstance(verdict, Split)
    assert verdict.status == status
    assert "bad record" in verdict.why


@pytest.mark.parametrize(
    "status", [301, 302, 307, 308, 304, 401, 402, 403, 404, 405, 406, 407, 410, 415, 418, 431, 451]
)
def test_what_is_about_the_destination_waits_with_a_remedy(status: int) -> None:
    verdict = judged(status)
    assert isinstance(verdict, Hold)
    assert verdict.remedy


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("999999999999999999999999", 3600.0),
        ("Thu, 28 May 2026 20:27:10 GMT", 30.0),
        ("Thursday, 28-May-26 20:27:10 GMT", 30.0),
        ("Thu, 28 May 2026 20:27:10 -0000", 30.0),
        ("Thu, 28 May 2020 20:27:10 GMT", 0.0),
        ("Thu, 28 May 2099 20:27:10 GMT", 3600.0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("Thu, 99 May 2026 99:99:99 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    assert retry_after(value, NOW) == seconds


def test_retry_after_counts_with_every_answer_that_is_tried_again() -> None:
    assert judged(503, retry_after="9") == Retry("it answered 503 Service Unavailable", 9.0)
    assert judged(429) == Retry("it answered 429 Too Many Requests", None)


def test_the_servers_text_is_kept_in_one_line_and_cut() -> None:
    verdict = judged(500, b"first\r\nsecond \x1b[31m " + b"x" * 10_000 + b"\xff")
    assert isinstance(verdict, Retry)
    assert verdict.why.startswith("it answered 500 Internal Server Error: first second \\x1b[31m xxx")
    assert len(verdict.why) < 1200
    assert verdict.why.isprintable()


def test_a_status_message_is_read_where_the_answer_is_protobuf() -> None:
    body = b"\x08\x03\x12\x0binvalid key"
    verdict = judge(400, {"content-type": "application/x-protobuf"}, body, "logs", NOW)
    assert verdict == Split("it answered 400 Bad Request: invalid key", 400)


@pytest.mark.parametrize("body", [b"ok", b"{}", b"<html>welcome</html>", b"\x0a\x03\x08\x03"])
def test_a_2xx_that_is_no_protobuf_rejects_nothing(body: bytes) -> None:
    assert judge(200, {"content-type": "text/html"}, body, "traces", NOW) == Delivered()
