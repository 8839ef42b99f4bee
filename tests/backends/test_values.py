"""What Loki makes of the types of extras, and how they can be asked for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from decimal import Decimal

import pytest

from tests.backends.loki import Line, Loki, running_loki
from tests.backends.speaking import LINE, say_in_a_task

pytestmark = [pytest.mark.backends, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def loki(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loki]:
    with running_loki(tmp_path_factory.mktemp("loki")) as running:
        yield running


@pytest.fixture(scope="module")
def line(loki: Loki, tmp_path_factory: pytest.TempPathFactory) -> Line:
    return say_in_a_task(
        tmp_path_factory.mktemp("app"),
        loki,
        "Payment captured",
        order_id="A1",
        pieces=3,
        total=10.5,
        paid=True,
        parts=["a", "b"],
        customer={"id": 7, "name": "Ä"},
        price=Decimal("1.10"),
        at=datetime(2026, 1, 2, tzinfo=timezone.utc),
        nothing=None,
    )


def test_every_value_is_kept_as_text(line: Line) -> None:
    kept = {
        key: line.metadata.get(key)
        for key in ("order_id", "pieces", "total", "paid", "parts", "price", "at", "nothing")
    }
    assert kept == {
        "order_id": "A1",
        "pieces": "3",
        "total": "10.5",
        "paid": "true",
        "parts": '["a","b"]',
        "price": "1.10",
        "at": "2026-01-02T00:00:00+00:00",
        "nothing": None,
    }


def test_maps_are_kept_entry_by_entry_and_a_dot_is_an_underscore(line: Line) -> None:
    assert (line.metadata["customer_id"], line.metadata["customer_name"]) == ("7", "Ä")


def test_the_only_index_label_is_the_service(line: Line) -> None:
    assert line.labels.keys() == {"service_name"}


@pytest.mark.parametrize(
    "filter_", ['order_id="A1"', "total > 10", "pieces <= 3", 'paid="true"', 'parts=~".*b.*"', 'customer_name="Ä"']
)
def test_lines_are_found_by_an_extra(loki: Loki, line: Line, filter_: str) -> None:
    assert loki.lines(f"{LINE} | {filter_}") == [line]


@pytest.mark.parametrize("filter_", ['order_id="A2"', "total > 11", "pieces < 3"])
def test_lines_with_another_value_are_not_found(loki: Loki, line: Line, filter_: str) -> None:
    assert line.text
    assert loki.lines(f"{LINE} | {filter_}") == []
