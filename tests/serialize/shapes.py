"""Types that arguments have, and a way to keep and load a call."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timezone
from decimal import Decimal
from enum import Enum
from typing import Any, Literal, NamedTuple
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from pydantic import BaseModel, ConfigDict, Field, computed_field
from typing_extensions import TypedDict  # pydantic asks for it before Python 3.12

from otel_taskflow.serialize import ArgumentCodec


class Colour(Enum):
    RED = "red"


class Address(BaseModel):
    city: str
    since: date | None = None


class Order(BaseModel):
    id: UUID
    to: Address
    amount: Decimal
    colour: Colour = Colour.RED


class Rush(Order):
    minutes: int = 5


class Camel(BaseModel):
    first_name: str = Field(alias="firstName")
    last_name: str = Field(serialization_alias="lastName")
    middle_name: str = Field(validation_alias="middleName")


class Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    at: datetime
    kind: Literal["a", "b"]

    @computed_field
    def shown(self) -> str:
        return self.kind


class Left(BaseModel):
    out: int = Field(default=1, exclude=True)


class Patch(BaseModel):
    name: str | None = None
    email: str | None = None


class Event(BaseModel):
    """Whose defaults are other ones each time."""

    id: UUID = Field(default_factory=uuid4)
    tags: list[str] = []
    patch: Patch = Patch()


@dataclass
class Change:
    patch: Patch


@dataclass
class Point:
    x: int
    at: datetime


@dataclass
class Visit:
    at: datetime
    seen: datetime | None = field(default=None, compare=False)


class Pair(NamedTuple):
    left: int
    right: UUID


class Spot(NamedTuple):
    at: float


class Person(TypedDict):
    name: str
    born: date


class Session:
    """Like a database session: nothing that JSON could hold."""


ID = UUID("12345678-1234-5678-1234-567812345678")
NOON = datetime(2026, 4, 1, 12, tzinfo=timezone.utc)
BERLIN_NOON = datetime(2026, 3, 28, 12, tzinfo=ZoneInfo("Europe/Berlin"))
ORDER = Order(id=ID, to=Address(city="Ulm", since=date(2026, 4, 1)), amount=Decimal("9.90"))


def id_of(value: object) -> str:
    """As ``str``, without an address in memory: a test has one name in every process."""
    return re.sub(r" at 0x\w+", "", str(value))


def function_of(annotation: Any) -> Callable[..., None]:
    def task(value: Any) -> None: ...

    task.__annotations__["value"] = annotation
    return task


def back_and_forth(func: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    kept = ArgumentCodec(func).dump(args, kwargs)
    assert kept.problem is None, kept.problem
    assert kept.text is not None
    assert json.loads(kept.text, parse_constant=pytest.fail).keys() - {"unset"} == {"args", "kwargs"}
    return ArgumentCodec(func).load(kept.text)
