from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from otel_taskflow.values import Limits, Redaction, Sanitizer, flatten, normalize_level, one_line, record_line
from tests.values.strategies import ANYTHING, EXTRAS, HASHABLE, KEYS, SUSPICIOUS, TEXTS

sanitizer = Sanitizer(Limits(), Redaction.with_rules({"presets": ["email", "phone", "ip"]}))
# A slow machine is no error.
CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
JSON_TYPES = (str, int, float, bool, type(None), list, dict)


def assert_any_reader_can_take(value: Any) -> None:
    assert type(value) in JSON_TYPES
    if type(value) is str:
        value.encode()
    elif type(value) is int:
        assert -(2**63) <= value < 2**63
    elif type(value) is list:
        for item in value:
            assert_any_reader_can_take(item)
    elif type(value) is dict:
        for key, item in value.items():
            assert type(key) is str
            assert_any_reader_can_take(key)
            assert_any_reader_can_take(item)


@pytest.mark.failure("V14")
@CALM
@given(EXTRAS)
def test_extras_become_json_whatever_they_are(extra: dict[str, Any]) -> None:
    kept = sanitizer.extra(extra)
    assert_any_reader_can_take(kept)
    assert json.loads(json.dumps(kept, allow_nan=False)) == kept
    assert len(kept) == len(extra)


@CALM
@given(EXTRAS)
def test_what_is_plain_is_kept_as_it_is(extra: dict[str, Any]) -> None:
    if sanitizer.is_plain(extra):
        kept = sanitizer.extra(extra)
        assert kept == extra
        assert list(map(type, kept.values())) == list(map(type, extra.values()))
        assert_any_reader_can_take(extra)


@CALM
@given(EXTRAS)
@example({"": "4111 1111 1111 1111.4111 1111 1111 1111"})
def test_sanitised_extras_stay_when_they_are_sanitised_again(extra: dict[str, Any]) -> None:
    kept = sanitizer.redaction.value(sanitizer.extra(extra))
    assert sanitizer.redaction.value(kept) is kept


@pytest.mark.failure("V14")
@CALM
@given(ANYTHING)
def test_messages_and_levels_become_text_whatever_they_are(value: Any) -> None:
    text = sanitizer.message(value)
    assert type(text) is str
    assert len(text.encode()) <= Limits().message_bytes
    name, given_text = normalize_level(value)
    assert name in ("debug", "info", "warning", "error")
    (given_text or "").encode()


@CALM
@given(st.dictionaries(KEYS | HASHABLE, ANYTHING, max_size=5))
def test_tags_become_texts_whatever_they_are(tags: Any) -> None:
    for key, value in sanitizer.tags(tags).items():
        assert_any_reader_can_take(key)
        assert type(value) is str
        value.encode()


@pytest.mark.failure("V14")
@CALM
@given(ANYTHING)
def test_exceptions_are_described_whatever_they_carry(value: Any) -> None:
    try:
        try:
            raise ValueError(value)
        except ValueError as cause:
            raise RuntimeError(value, cause) from cause
    except RuntimeError as error:
        described = sanitizer.error(error)
    assert described.type == "RuntimeError"
    for text in described:
        text.encode()


@CALM
@given(EXTRAS)
def test_attributes_are_such_as_otlp_has(extra: dict[str, Any]) -> None:
    attributes, _ = flatten(sanitizer.extra(extra))
    assert len(attributes) <= 96
    assert sum(len(key.encode()) + len(str(value).encode()) for key, value in attributes.items()) <= 2 * 49152
    for key, value in attributes.items():
        assert key
        key.encode()
        items = value if type(value) is list else [value]
        assert {type(item) for item in items} <= {str, bool, int, float}
        assert len({type(item) for item in items}) <= 1
        for item in items:
            if type(item) is str:
                item.encode()


@CALM
@given(ANYTHING)
def test_flattening_survives_what_was_never_sanitised(value: Any) -> None:
    attributes, _ = flatten({"key": value})
    for item in attributes.values():
        if type(item) is str:
            item.encode()


@CALM
@given(SUSPICIOUS)
def test_redaction_is_done_after_one_pass(text: str) -> None:
    once = sanitizer.redaction.text(text)
    assert sanitizer.redaction.text(once) is once


@CALM
@given(TEXTS)
def test_a_line_is_one_line_of_harmless_characters(text: str) -> None:
    line = one_line(text)
    line.encode()
    assert len(line.splitlines()) <= 1
    assert not any(ord(character) < 0x20 and character != "\t" for character in line)
    assert record_line(0, text) == f"1970-01-01T00:00:00.000Z {line}" or "\\ud" in line


@settings(CALM, max_examples=30)
@given(st.text(st.characters(), min_size=1, max_size=5), st.integers(1, 200_000), TEXTS)
def test_what_is_cut_is_within_its_limit_and_says_how_long_it_was(piece: str, times: int, rest: str) -> None:
    text = piece * times + rest
    kept = sanitizer.extra({"a": text})["a"]
    assert len(kept.encode()) <= Limits().text_bytes
    if len(text.encode("utf-8", "backslashreplace")) > Limits().text_bytes:
        assert "…[cut: " in kept
        assert "characters]" in kept
