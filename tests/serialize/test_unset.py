"""A model that comes back knows which of its fields were set: a PATCH writes those and no others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel, ConfigDict, TypeAdapter

from otel_taskflow.serialize import ArgumentCodec
from tests.serialize.shapes import ID, Change, Event, Patch, back_and_forth, function_of


def with_a_tag(event: Event) -> Event:
    event.tags.append("changed in place")
    return event


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (Patch, Patch()),
        (Patch, Patch(name="Ada")),
        (Patch, Patch(name=None)),
        (Patch | None, Patch(email="")),
        (Event, Event()),
        (Event, Event(id=ID, patch=Patch(name="Ada"))),
        (Event, with_a_tag(Event(patch=Patch()))),
        (list[Patch], [Patch(name="Ada"), Patch(), Patch(name=None, email=None)]),
        (dict[UUID, Patch], {ID: Patch(email="")}),
        (tuple[int, Patch], (1, Patch(email=""))),
        (Change, Change(Patch(name="Ada"))),
        (list[list[dict[str, Change]]], [[], [{"a": Change(Patch()), "b": Change(Patch(name="Ada"))}]]),
    ],
)
def test_models_come_back_with_the_fields_set_that_were(annotation: Any, value: Any) -> None:
    def shown(value: Any) -> Any:
        return TypeAdapter(annotation).dump_python(value, exclude_unset=True)

    func = function_of(annotation)
    for args, kwargs in (back_and_forth(func, value), back_and_forth(func, value=value)):
        (loaded,) = (*args, *kwargs.values())
        assert loaded == value
        assert shown(loaded) == shown(value)


def test_what_was_set_of_each_of_many_arguments_comes_back() -> None:
    def task(first: Patch, *rest: Patch, **named: Patch) -> None: ...

    given = {"1": Patch(), "a": Patch(name=None)}
    args, kwargs = back_and_forth(task, Patch(name="Ada"), Patch(), Patch(email=""), **given)
    assert [each.model_fields_set for each in args] == [{"name"}, set(), {"email"}]
    assert {name: each.model_fields_set for name, each in kwargs.items()} == {"1": set(), "a": {"name"}}


def test_a_default_is_the_one_of_when_the_task_was_added() -> None:
    kept = ArgumentCodec(function_of(Patch)).dump((Patch(),), {})

    class NextPatch(Patch):
        name: str | None = "other"
        added_since: int = 1

    ((loaded,), _) = ArgumentCodec(function_of(NextPatch)).load(kept.text or "")
    assert (loaded.name, loaded.added_since, loaded.model_fields_set) == (None, 1, set())


def test_what_was_set_of_a_part_that_is_gone_by_now_is_passed_over() -> None:
    kept = ArgumentCodec(function_of(Change)).dump((Change(Patch()),), {})

    @dataclass
    class Smaller:
        patch: dict[str, Any]

    ((loaded,), _) = ArgumentCodec(function_of(Smaller)).load(kept.text or "")
    assert loaded == Smaller({"name": None, "email": None})


class Key(BaseModel):
    model_config = ConfigDict(frozen=True)
    name: str = "a"


def test_a_model_whose_set_fields_have_no_place_to_be_noted_is_not_kept() -> None:
    assert back_and_forth(function_of(set[Key]), {Key(name="a")}) == (({Key(name="a")},), {})
    kept = ArgumentCodec(function_of(set[Key])).dump(({Key()},), {})
    assert kept.problem is not None
    assert "another value" in kept.problem
