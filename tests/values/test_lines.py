from __future__ import annotations

import pytest

from otel_taskflow.values import iso_millis, one_line, record_line


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("plain", "plain"),
        ("tab\tstays, so do é, 日本 and 🎉", "tab\tstays, so do é, 日本 and 🎉"),
        ("a\r\nERROR forged", "a\\r\\nERROR forged"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("nul\0 del\x7f c1\x9b", "nul\\x00 del\\x7f c1\\x9b"),
        ("bidi \u202e \u2066 \u200f", "bidi \\u202e \\u2066 \\u200f"),
        ("line \u2028 \u2029 \x85", "line \\u2028 \\u2029 \\x85"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_could_forge_a_line_or_steer_a_terminal_is_escaped(given: str, shown: str) -> None:
    assert one_line(given) == shown


def test_a_harmless_text_is_the_same_object() -> None:
    text = "harmless"
    assert one_line(text) is text


@pytest.mark.parametrize(
    ("time_ns", "shown"),
    [
        (1775037600123456789, "2026-04-01T10:00:00.123Z"),
        (0, "1970-01-01T00:00:00.000Z"),
        (999_999, "1970-01-01T00:00:00.000Z"),
        (-1_000_000, "1969-12-31T23:59:59.999Z"),
        (10**30, "1000000000000000000000.000Z"),
    ],
)
def test_times_are_shown_to_the_millisecond_in_utc(time_ns: int, shown: str) -> None:
    assert iso_millis(time_ns) == shown


def test_a_record_is_one_line_with_its_time() -> None:
    assert record_line(1775037600123456789, "sent\nERROR forged") == "2026-04-01T10:00:00.123Z sent\\nERROR forged"
    assert record_line(0, 5) == "1970-01-01T00:00:00.000Z 5"
