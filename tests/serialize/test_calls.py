from __future__ import annotations

import functools
import timeit
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_taskflow.errors import TaskArgumentError
from otel_taskflow.serialize import ArgumentCodec, Kept
from tests.serialize.shapes import ORDER, Address, Order, Session, back_and_forth, function_of, id_of


class Mailer:
    def send(self, order: Order) -> None: ...

    @classmethod
    def of_class(cls, order: Order) -> None: ...

    @staticmethod
    def static(order: Order) -> None: ...

    def __call__(self, order: Order) -> None: ...


def logged(func: Callable[..., None]) -> Callable[..., None]:
    """A decorator that passes everything on."""

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> None:
        func(*args, **kwargs)

    return wrapper


def with_session(func: Callable[..., None]) -> Callable[..., None]:
    """A decorator that gives something of its own, and has a keyword of its own."""

    @functools.wraps(func)
    def wrapper(*args: Any, dry_run: bool = False, **kwargs: Any) -> None:
        func(Session(), *args, **kwargs)

    return wrapper


@with_session
def send(session: Session, user_id: int, order: Order | None = None) -> None: ...


@logged
def pack(order: Order, /, note: str = "") -> None: ...


@functools.lru_cache
def look_up(user_id: int) -> None: ...


class Store:
    @logged
    def save(self, order: Order) -> None: ...


def with_two(first: int, order: Order) -> None: ...


@pytest.mark.parametrize(
    "func",
    [
        Mailer().send,
        Mailer.of_class,
        Mailer.static,
        Mailer(),
        functools.partial(with_two, 1),
        functools.partial(with_two, first=1, order=None),
        functools.partial(functools.partial(Mailer().send)),
    ],
    ids=id_of,
)
def test_any_callable_will_do(func: Callable[..., Any]) -> None:
    assert back_and_forth(func, order=ORDER) == ((), {"order": ORDER})
    with pytest.raises(TypeError, match="unexpected"):
        ArgumentCodec(func).check((), {"order": ORDER, "more": 1})


@pytest.mark.parametrize(
    ("args", "kwargs"), [((5,), {}), ((), {"user_id": 5, "order": ORDER}), ((5,), {"order": ORDER, "dry_run": True})]
)
def test_a_function_whose_wrapper_gives_it_something_is_called_without_that(args: Any, kwargs: Any) -> None:
    send(*args, **kwargs)
    ArgumentCodec(send).check(args, kwargs)
    assert back_and_forth(send, *args, **kwargs) == (args, kwargs)


def test_an_argument_that_fits_another_parameter_of_the_wrapped_function_is_not_changed_by_it() -> None:
    assert ArgumentCodec(send).dump((5, ORDER), {}).text is None
    for user_id in (5, "5", None, [1.5]):
        assert back_and_forth(send, user_id) == ((user_id,), {})


@pytest.mark.parametrize(
    "func", [pack, logged(pack), functools.partial(logged(with_two), 1), Store().save, logged(Mailer().send)], ids=id_of
)
def test_a_wrapper_that_passes_everything_on_keeps_arguments_by_the_wrapped_functions_annotations(func: Any) -> None:
    assert back_and_forth(func, ORDER) == ((ORDER,), {})
    kept = ArgumentCodec(func).dump((Session(),), {})
    assert kept.problem is not None
    assert "argument 'order' of" in kept.problem


def test_the_parameters_of_a_wrapper_are_its_own() -> None:
    @functools.wraps(with_two)
    def wrapper(order: Order) -> None: ...

    codec = ArgumentCodec(wrapper)
    assert back_and_forth(wrapper, ORDER) == ((ORDER,), {})
    with pytest.raises(TypeError, match=r"^with_two\(\) too many"):
        codec.check((1, ORDER), {})


def test_what_is_cached_takes_what_its_function_takes() -> None:
    ArgumentCodec(look_up).check((1,), {})
    assert back_and_forth(look_up, 1) == ((1,), {})
    with pytest.raises(TypeError, match=r"^look_up\(\) too many"):
        ArgumentCodec(look_up).check((1, 2), {})


def test_what_wraps_itself_keeps_json() -> None:
    def task(order: int) -> None: ...

    task.__wrapped__ = task  # type: ignore[attr-defined]
    assert back_and_forth(task, 1) == ((1,), {})


@pytest.mark.parametrize("func", [print, max, dict.get, int, type, functools.partial(max, 1)], ids=str)
def test_builtins_keep_json(func: Callable[..., Any]) -> None:
    codec = ArgumentCodec(func)
    kept = codec.dump((1, "a"), {})
    assert kept == Kept('{"args":[1,"a"],"kwargs":{}}')


def with_many(a: int, /, b: str, c: float = 1.0, *, d: bool = False) -> None: ...


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((1, "a"), {}), ((1,), {"b": "a", "d": True}), ((1, "a", 2.0), {"d": False}), ((1,), {"c": 1.0, "b": "x"})],
)
def test_a_call_that_fits_is_let_through(args: Any, kwargs: Any) -> None:
    ArgumentCodec(with_many).check(args, kwargs)


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ((), {}),
        ((1,), {}),
        ((1, "a", 2.0, 3), {}),
        ((1, "a"), {"e": 1}),
        ((1, "a"), {"b": "b"}),
        ((), {"a": 1, "b": "a"}),
    ],
)
def test_a_call_that_does_not_fit_is_a_type_error_with_the_functions_name(args: Any, kwargs: Any) -> None:
    with pytest.raises(TypeError):
        with_many(*args, **kwargs)
    with pytest.raises(TypeError, match=r"^with_many\(\) "):
        ArgumentCodec(with_many).check(args, kwargs)


CALLS = st.tuples(
    st.lists(st.integers(), max_size=4).map(tuple),
    st.dictionaries(st.sampled_from(["a", "b", "c", "d", "e"]), st.integers(), max_size=4),
)


def takes_any(*args: Any, **kwargs: Any) -> None: ...


def takes_more(a: Any, *rest: Any, b: Any = 1) -> None: ...


def takes_names(a: Any, b: Any, **rest: Any) -> None: ...


@settings(deadline=None)
@given(
    CALLS,
    st.sampled_from(
        [with_many, takes_any, takes_more, takes_names, Mailer().send, functools.partial(with_many, 1, d=True)]
    ),
)
def test_check_says_what_calling_says(call: Any, func: Callable[..., Any]) -> None:
    args, kwargs = call
    try:
        func(*args, **kwargs)
        fits = True
    except TypeError:
        fits = False
    try:
        ArgumentCodec(func).check(args, kwargs)
        passed = True
    except TypeError:
        passed = False
    assert passed is fits


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "not readable"),
        ("[]", "not readable"),
        ('{"args":[]}', "not readable"),
        ('{"args":{},"kwargs":{}}', "a list and a dict"),
        ('{"args":["x","a"],"kwargs":{}}', r"'a' of with_many\(\) cannot be read"),
        ('{"args":[1],"kwargs":{"b":5}}', r"'b' of with_many\(\) cannot be read"),
        ('{"args":[1],"kwargs":{}}', r"with_many\(\) missing"),
        ('{"args":[1,"a"],"kwargs":{"gone":1}}', r"with_many\(\) got an unexpected"),
    ],
)
def test_a_kept_text_that_does_not_fit_is_refused_by_name(text: str, named: str) -> None:
    with pytest.raises(TaskArgumentError, match=named):
        ArgumentCodec(with_many).load(text)


def test_a_kept_model_is_checked_when_it_is_read() -> None:
    with pytest.raises(TaskArgumentError, match=r"argument 'value' of task\(\).*city"):
        ArgumentCodec(function_of(Address)).load('{"args":[{"town":"Ulm"}],"kwargs":{}}')
    with pytest.raises(TaskArgumentError, match="Session"):
        ArgumentCodec(function_of(Session)).load('{"args":[{}],"kwargs":{}}')


def test_plain_arguments_take_a_few_microseconds() -> None:
    codec = ArgumentCodec(with_many)

    def keep() -> None:
        codec.check((1, "a"), {"d": True})
        codec.dump((1, "a"), {"d": True})

    best = min(timeit.repeat(keep, number=500, repeat=20)) / 500
    assert best < 50e-6, "ten times what it takes on a slow machine"
