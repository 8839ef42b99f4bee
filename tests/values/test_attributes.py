from __future__ import annotations

import math
from typing import Any

import pytest

from otel_taskflow.values import flatten
from tests.values.strategies import Broken


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("text", "text"),
        (True, True),
        (5, 5),
        (1.5, 1.5),
        ([1, 2], [1, 2]),
        ([], []),
        (["a", "b"], ["a", "b"]),
        ((True, False), [True, False]),
        ([1.5, "Infinity"], [1.5, math.inf]),
        (["NaN", "a"], ["NaN", "a"]),
        ([1, "a"], '[1,"a"]'),
        ([1, True], "[1,true]"),
        ([None], "[null]"),
        ([2**63], "[9223372036854775808]"),
        (2**63, "9223372036854775808"),
        ("Infinity", math.inf),
        ("-Infinity", -math.inf),
        ({}, "{}"),
        ([{"a": 1}], '[{"a":1}]'),
        ("\ud800", "\\ud800"),
        (["\ud800"], ["\\ud800"]),
    ],
)
def test_values_are_sent_as_otlp_has_them(given: Any, sent: Any) -> None:
    attributes, dropped = flatten({"key": given})
    assert attributes == {"key": sent}
    assert type(attributes["key"]) is type(sent)
    assert dropped == 0


def test_nan_is_sent_as_a_number() -> None:
    attributes, _ = flatten({"loss": "NaN"})
    assert math.isnan(attributes["loss"])  # type: ignore[arg-type] # it is a float


def test_none_drops_the_key() -> None:
    assert flatten({"a": None, "b": {"c": None}}) == ({}, 0)


def test_nested_maps_are_flattened_to_a_depth() -> None:
    attributes, dropped = flatten({"order": {"id": 1, "to": {"city": "Ulm", "geo": {"lat": 1.5, "more": {"x": 1}}}}})
    assert attributes == {
        "order.id": 1,
        "order.to.city": "Ulm",
        "order.to.geo.lat": 1.5,
        "order.to.geo.more": '{"x":1}',
    }
    assert dropped == 0


def test_a_map_of_many_keys_is_one_json_text() -> None:
    attributes, _ = flatten({"many": {str(n): n for n in range(33)}})
    assert list(attributes) == ["many"]
    assert str(attributes["many"]).startswith('{"0":0,')


def test_what_does_not_fit_is_dropped_and_counted() -> None:
    attributes, dropped = flatten({f"key_{n}": n for n in range(100)})
    assert (len(attributes), dropped) == (96, 4)
    attributes, dropped = flatten({"big": "x" * 50_000, "small": 1})
    assert (attributes, dropped) == ({"small": 1}, 1)
    attributes, dropped = flatten({"a": "é" * 10, "b": "y"}, max_bytes=21)
    assert (attributes, dropped) == ({"a": "é" * 10}, 1)
    assert flatten({"a": 1, "b": 2}, max_attributes=0) == ({}, 2)


def test_no_two_values_share_a_key_and_no_key_is_empty() -> None:
    attributes, _ = flatten({"a": {"b": 1}, "a.b": 2, "": 3})
    assert attributes == {"a.b": 1, "a.b (2)": 2, "_": 3}


def test_what_was_never_sanitised_does_no_harm() -> None:
    attributes, _ = flatten({"a": Broken(ValueError()), 5: object(), "c": {1: {2: Broken(SystemExit())}}})  # type: ignore[dict-item]
    assert len(attributes) == 3
    assert flatten(Broken(ValueError())) == ({}, 1)  # type: ignore[arg-type] # no mapping at all
