from __future__ import annotations

import json
import math
import threading
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import Field, SecretStr, StrictFloat, TypeAdapter

from otel_taskflow.errors import TaskArgumentError
from otel_taskflow.serialize import ArgumentCodec, Kept
from tests.serialize.shapes import (
    BERLIN_NOON,
    ID,
    NOON,
    ORDER,
    Camel,
    Colour,
    Left,
    Order,
    Pair,
    Person,
    Point,
    Rush,
    Session,
    Spot,
    Strict,
    Visit,
    back_and_forth,
    function_of,
    id_of,
)

if TYPE_CHECKING:
    from nowhere import Unknown


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (int, 5),
        (int, 10**30),
        (float, 1.5),
        (float, math.inf),
        (str, "text \0 é 🎉"),
        (bool, True),
        (None, None),
        (int | None, None),
        (int | str, "5"),
        (bytes, b"\xff\x00"),
        (UUID, ID),
        (datetime, NOON),
        (datetime, NOON.replace(tzinfo=None)),
        (datetime, NOON.replace(tzinfo=ZoneInfo("UTC"))),
        (time, time(12, tzinfo=ZoneInfo("UTC"))),
        (date, date(2026, 4, 1)),
        (datetime, NOON.astimezone(timezone(timedelta(hours=-3, minutes=-30)))),
        (datetime, TypeAdapter(datetime).validate_json('"2026-04-01T12:00:00+02:00"')),
        (time, time(12, 30)),
        (time, time(12, 30, tzinfo=timezone.utc)),
        (Visit, Visit(NOON, BERLIN_NOON)),
        (deque[int], deque([1, 2])),
        (defaultdict[str, list[int]], defaultdict(list, {"a": [1]})),
        (OrderedDict[str, int], OrderedDict(b=1, a=2)),
        (set[float], {1.0, 2.5}),
        (dict[date, set[UUID]], {date(2026, 4, 1): {ID}}),
        (timedelta, timedelta(seconds=1.5)),
        (Decimal, Decimal("1.10")),
        (Path, Path("/a")),
        (Colour, Colour.RED),
        (Order, ORDER),
        (Order | None, ORDER),
        (Rush, Rush(**ORDER.model_dump(), minutes=3)),
        (Camel, Camel(firstName="a", last_name="b", middleName="c")),
        (Strict, Strict(at=NOON, kind="a")),
        (Point, Point(1, NOON)),
        (Pair, Pair(1, ID)),
        (Person, {"name": "a", "born": date(2026, 4, 1)}),
        (list[Order], [ORDER, ORDER]),
        (dict[UUID, date], {ID: date(2026, 4, 1)}),
        (tuple[int, UUID], (1, ID)),
        (set[UUID], {ID}),
        (frozenset[int], frozenset({1})),
        (list[float], [1.0, math.inf]),
        (Annotated[int, Field(gt=0)], 5),
        (Literal["a", "b"], "b"),
        (dict, {"a": [1, None]}),
        (list, [1, {"a": True}]),
        (Any, {"a": [1.5]}),
        (object, [1, "a"]),
    ],
    ids=str,
)
def test_values_come_back_as_they_were(annotation: Any, value: Any) -> None:
    func = function_of(annotation)
    for args, kwargs in (back_and_forth(func, value), back_and_forth(func, value=value)):
        (loaded,) = (*args, *kwargs.values())
        assert loaded == value
        assert type(loaded) is type(value)


def test_nan_comes_back() -> None:
    ((loaded,), _) = back_and_forth(function_of(float), math.nan)
    assert math.isnan(loaded)


@pytest.mark.parametrize(
    ("annotation", "value", "named"),
    [
        (Session, Session(), "Session"),
        (Annotated[Session, "Depends"], Session(), "Session"),
        (int, "5", "int"),
        (str, 5, "str"),
        (bool, 1, "bool"),
        (Order, Rush(**ORDER.model_dump()), "Order"),
        (SecretStr, SecretStr("x"), "another value"),
        (Left, Left(out=2), "another value"),
        (str | UUID, str(ID), "another value"),
        (dict, {"id": ID}, "another value"),
        (Callable, print, "Callable"),
        (list, [{1, 2}], "another value"),
        (datetime, BERLIN_NOON, "pass it in UTC"),
        (datetime | None, BERLIN_NOON, "pass it in UTC"),
        (list[datetime], [BERLIN_NOON], "another value"),
        (dict[datetime, int], {BERLIN_NOON: 1}, "another value"),
        (Strict, Strict(at=NOON, kind="a").model_copy(update={"at": BERLIN_NOON}), "another value"),
        (Point, Point(1, BERLIN_NOON), "another value"),
        (time, time(12, tzinfo=ZoneInfo("Europe/Berlin")), "pass it in UTC"),
        (datetime, NOON.replace(tzinfo=None, fold=1), "another value"),
        (deque[int], deque([1], maxlen=5), "another value"),
        (defaultdict[str, list[int]], defaultdict(None, {"a": [1]}), "another value"),
        (defaultdict[str, int], defaultdict(lambda: 7, {"a": 1}), "another value"),
        (set[Spot], {Spot(1)}, "another value"),
        (frozenset[Spot], frozenset({Spot(1), Spot(2.5)}), "another value"),
        (deque[Spot], deque([Spot(1)]), "another value"),
        (dict[float, int], {1: 1}, "another value"),
        (StrictFloat, 1, "another value"),
        (bool | float, [True], "of another type"),
        (list[float], [True], "another value"),
        (str, "\ud800", "lone surrogate"),
    ],
    ids=id_of,
)
def test_what_would_not_come_back_as_it_was_is_not_kept(annotation: Any, value: Any, named: str) -> None:
    kept = ArgumentCodec(function_of(annotation)).dump((value,), {})
    assert kept.text is None
    assert kept.problem is not None
    assert kept.problem.startswith("argument 'value' of task(): ")
    assert named in kept.problem
    assert "annotate" in kept.problem or "pass plain data" in kept.problem


@pytest.mark.parametrize("value", [ORDER, ID, NOON, Colour.RED, (1, 2), {1}, b"x", {1: 2}, math.nan, Session(), [ID]])
def test_without_an_annotation_only_json_is_kept_and_the_remedy_is_named(value: Any) -> None:
    def task(value): ...  # type: ignore[no-untyped-def]

    assert back_and_forth(task, [1, {"a": None}]) == (([1, {"a": None}],), {})
    kept = ArgumentCodec(task).dump((), {"value": value})
    assert kept.text is None
    assert kept.problem is not None
    assert "argument 'value' of task()" in kept.problem
    assert "annotate the parameter" in kept.problem


def test_a_default_of_none_allows_none() -> None:
    def task(order: Order = None, count: int = None) -> None: ...  # type: ignore[assignment]  # noqa: RUF013 - what is tested

    assert back_and_forth(task, ORDER, count=None) == ((ORDER,), {"count": None})
    assert back_and_forth(task, None) == ((None,), {})


def test_more_arguments_follow_the_annotation_of_the_stars() -> None:
    def task(first: UUID, *rest: date, **named: UUID) -> None: ...

    call = ((ID, date(2026, 4, 1), date(2026, 4, 2)), {"other": ID})
    assert back_and_forth(task, *call[0], **call[1]) == call
    kept = ArgumentCodec(task).dump((ID, date(2026, 4, 1), "x"), {})
    assert kept.problem is not None
    assert "argument 'rest[1]' of task()" in kept.problem


def test_annotations_that_cannot_be_resolved_count_as_none_and_others_stay() -> None:
    def task(odd: Unknown, order: Order) -> None: ...

    assert back_and_forth(task, {"a": 1}, ORDER) == (({"a": 1}, ORDER), {})
    assert ArgumentCodec(task).dump((ID, ORDER), {}).text is None


def test_an_annotation_may_be_anything() -> None:
    for annotation in (5, "not even an expression (", [], object(), lambda: 1):
        codec = ArgumentCodec(function_of(annotation))
        codec.check((1,), {})
        assert isinstance(codec.dump((Session(),), {}).problem, str)


def test_no_arguments_are_kept_too() -> None:
    assert ArgumentCodec(print).dump((), {}) == Kept('{"args":[],"kwargs":{}}')
    assert ArgumentCodec(print).load('{"args":[],"kwargs":{}}') == ((), {})


@pytest.mark.parametrize("annotation", [int, int | None, Any, object, int | str])
def test_an_int_of_more_digits_than_are_read_from_json_is_not_kept(annotation: Any) -> None:
    for value in (10**4300, 10**5000, -(10**5000)):
        kept = ArgumentCodec(function_of(annotation)).dump((value,), {})
        assert kept.problem is not None
        assert "pass plain data" in kept.problem
    assert ArgumentCodec(function_of(list[annotation])).dump(([10**5000],), {}).text is None
    assert back_and_forth(function_of(annotation), 10**4299) == ((10**4299,), {})


AT = st.datetimes(timezones=st.none() | st.sampled_from([timezone.utc, ZoneInfo("Europe/Berlin"), ZoneInfo("UTC")]))


@settings(deadline=None)
@given(AT, st.integers(-300, 300))
def test_a_time_that_is_kept_goes_on_as_the_one_that_was_passed(at: datetime, days: int) -> None:
    kept = ArgumentCodec(function_of(datetime)).dump((at,), {})
    assume(kept.text is not None)
    ((loaded,), _) = ArgumentCodec(function_of(datetime)).load(kept.text or "")
    with suppress(OverflowError):
        assert str(loaded + timedelta(days=days)) == str(at + timedelta(days=days))


def test_an_iterator_is_not_used_up() -> None:
    def task(rows: Iterable[int], nested: Any = None, data: dict[str, Any] | None = None) -> None: ...

    def generate() -> Iterator[int]:
        yield 1

    codec = ArgumentCodec(task)
    for call in (lambda rows: {"rows": rows}, lambda rows: {"nested": [rows]}, lambda rows: {"data": {"a": (rows,)}}):
        rows = generate()
        assert codec.dump((), call(rows)).text is None
        assert list(rows) == [1]


def test_what_contains_itself_is_not_kept() -> None:
    def task(free: Any = None, typed: list[Any] | None = None) -> None: ...

    cycle: list[Any] = []
    cycle.append(cycle)
    for name in ("free", "typed"):
        assert ArgumentCodec(task).dump((), {name: cycle}).text is None


def test_whatever_an_argument_does_dump_does_not_raise() -> None:
    class Hostile:
        def __getattribute__(self, name: str) -> Any:
            raise RuntimeError

        def __eq__(self, other: object) -> bool:
            raise RuntimeError

        def __repr__(self) -> str:
            raise RuntimeError

        __hash__ = None  # type: ignore[assignment]

    for annotation in (Any, int, Hostile, list[Hostile], Order):
        kept = ArgumentCodec(function_of(annotation)).dump((Hostile(),), {})
        assert kept.text is None
        assert kept.problem


def takes_any(*args: Any, **kwargs: Any) -> None: ...


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)


@settings(deadline=None)
@given(st.lists(JSON, max_size=3).map(tuple), st.dictionaries(st.text(max_size=5), JSON, max_size=3))
def test_json_comes_back_as_it_was(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    codec = ArgumentCodec(takes_any)
    kept = codec.dump(args, kwargs)
    assert kept.text is not None
    assert codec.load(kept.text) == (args, kwargs)
    assert str(codec.load(kept.text)) == str((args, kwargs))


@settings(deadline=None)
@given(st.lists(st.text(st.characters(), max_size=3) | st.floats() | st.binary(max_size=3), max_size=3).map(tuple))
def test_what_is_kept_is_valid_and_what_is_not_kept_has_a_reason(args: tuple[Any, ...]) -> None:
    kept = ArgumentCodec(takes_any).dump(args, {})
    assert (kept.text is None) is (kept.problem is not None)
    if kept.text is not None:
        assert tuple(json.loads(kept.text, parse_constant=pytest.fail)["args"]) == args


def test_a_problem_does_not_show_the_value() -> None:
    marker = "hunter" + "2"
    for annotation in (int, Order, list[int], Literal["a"], Session):
        assert marker not in str(ArgumentCodec(function_of(annotation)).dump((marker,), {}))
        with pytest.raises(TaskArgumentError) as caught:
            ArgumentCodec(function_of(annotation)).load(json.dumps({"args": [marker], "kwargs": {}}))
        assert marker not in str(caught.value)
        assert "\n" not in str(caught.value)


def test_what_the_function_receives_in_this_process_is_not_touched() -> None:
    order = ORDER.model_copy(deep=True)
    arguments = {"value": [order]}
    ArgumentCodec(function_of(list[Order])).dump((), arguments)
    assert arguments["value"][0] is order
    assert order == ORDER


def test_several_threads_may_use_one_codec() -> None:
    codec = ArgumentCodec(function_of(Order))
    kept: list[Kept] = []
    threads = [threading.Thread(target=lambda: kept.append(codec.dump((ORDER,), {}))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kept) == 8
    assert len(set(kept)) == 1
    assert kept[0].text is not None
