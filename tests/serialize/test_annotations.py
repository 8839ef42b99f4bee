"""Annotations mean what Python's type rules say."""

from __future__ import annotations

import math
import typing
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, PlainSerializer
from typing_extensions import NotRequired, Required, TypedDict, Unpack

from otel_taskflow.serialize import ArgumentCodec
from tests.serialize.shapes import NOON, ORDER, Order, back_and_forth, function_of


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (float, 5),
        (float, -(10**30)),
        (float | None, 5),
        (str | float, "5"),
        (str | float, 5),
        (list[float], [1, 2.5, 2.0, math.inf]),
        (tuple[float, ...], (1, 1.0)),
        (tuple[str, float], ("1", 1)),
        (set[float], {1, 2.5}),
        (frozenset[float], frozenset({1, 2.5})),
        (deque[float], deque([1, 1.0])),
        (Sequence[float], [1, 1.0]),
        (dict[float, float], {1.0: 1, 2.5: 2.0}),
        (Mapping[str, list[float] | None], {"a": [1, 1.0], "b": None}),
        (defaultdict[str, float], defaultdict(float, {"a": 1.0})),
        (Annotated[float, Field(gt=0)], 5),
        (list[Annotated[float, Field(gt=0)]], [5, 5.0]),
        (Annotated[float, PlainSerializer(lambda value: f"{value:.2f}", str)], 5.0),
    ],
)
def test_an_int_may_stand_where_a_float_is_expected_and_stays_one(annotation: Any, value: Any) -> None:
    ((loaded,), _) = back_and_forth(function_of(annotation), value)
    assert (loaded, repr(loaded), type(loaded)) == (value, repr(value), type(value))


NUMBERS = st.floats() | st.integers(-(10**40), 10**40)


@settings(deadline=None)
@given(
    NUMBERS, st.lists(NUMBERS), st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), NUMBERS | st.none())
)
def test_floats_and_ints_are_told_apart(one: float, many: list[float], named: dict[str, float | None]) -> None:
    def task(one: float, many: list[float], *, named: dict[str, float | None]) -> None: ...

    assert str(back_and_forth(task, one, many, named=named)) == str(((one, many), {"named": named}))


class Settings(typing.TypedDict):
    at: datetime


class Options(TypedDict, total=False):
    order: Required[Order]
    at: NotRequired[datetime]
    day: date


def test_keywords_of_a_typed_dict_follow_its_annotations() -> None:
    def task(*given: Unpack[tuple[int, str]], **options: Unpack[Options]) -> None: ...  # type: ignore[valid-type]

    call = ((1, "a"), {"order": ORDER, "at": NOON, "day": date(2026, 4, 1), "more": {"a": 1}})
    assert back_and_forth(task, *call[0], **call[1]) == call
    kept = ArgumentCodec(task).dump((), {"order": ORDER, "day": "tomorrow"})
    assert kept.problem is not None
    assert "argument 'day' of task()" in kept.problem


def test_keywords_of_a_typed_dict_of_the_standard_library_do_too() -> None:
    def task(**options: Unpack[Settings]) -> None: ...

    assert back_and_forth(task, at=NOON) == ((), {"at": NOON})
