"""How many bytes a day a destination gets: what is said of it, and from when on."""

from __future__ import annotations

import pytest

from otel_taskflow.export.volume import AT_LEAST, ENOUGH, Volume, bytes_a_day, volume_of
from otel_taskflow.spool import Backlog, Counters

SECOND = 1_000_000_000


def at(seconds: float, size: float) -> Volume:
    return Volume(0, size, int(seconds * SECOND))


@pytest.mark.parametrize(
    ("now", "befores", "expected"),
    [
        (at(86400, 1000), [at(0, 0)], 1000),
        (at(100_000 + ENOUGH, 9000), [at(100_000, 3000), at(0, 0)], round(6000 / ENOUGH * 86400)),
        (at(100_000 + ENOUGH - 1, 9000), [at(100_000, 3000), at(0, 0)], round(9000 / (100_000 + ENOUGH - 1) * 86400)),
        (at(AT_LEAST, 60), [at(0, 0)], 86400),
        (at(AT_LEAST - 1, 60), [at(0, 0)], None),
        (at(1000, 10), [at(0, 20)], 0),
        (at(1000, 10), [], None),
    ],
    ids=["a day", "this process", "too young a process", "a minute", "less", "a fresh file", "nothing known"],
)
def test_the_estimate_is_from_this_process_once_it_has_seen_enough_else_from_the_file(
    now: Volume, befores: list[Volume], expected: int | None
) -> None:
    assert bytes_a_day(now, befores) == expected


def test_what_was_evicted_counts_as_what_is_known() -> None:
    backlog, delivered = Backlog(10, 1000, 5), Counters(90, 9000, 0)
    lost = {"disk_budget": 50, "age_limit": 30, "quarantined": 20, "rejected": 7, "rate_limit": 1000}
    assert volume_of(backlog, delivered, lost, 77) == Volume(200, 20_000, 77)
    assert volume_of(Backlog(0, 0, None), Counters(0, 0, 0), {"disk_budget": 3}, 0) == Volume(3, 0, 0)
