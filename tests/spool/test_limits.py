"""The disk budget and the age limit: what goes is the oldest, and it is counted."""

from __future__ import annotations

import random
from pathlib import Path

from otel_taskflow.spool import Limits, Spool
from tests.spool.support import MIB, TEMPO, bodies, ids, message, numbered, numbers, opened, slice_of, sql

ALL = (1_000_000, 1 << 40)
ROW = 132
"""What 100 bytes take."""


def test_beyond_the_budget_the_oldest_go_and_are_counted() -> None:
    spool = opened(None, max_bytes=10 * ROW)
    for n in range(0, 30, 3):
        spool.add(numbered(range(n, n + 3), size=100))
    assert numbers(spool.take(TEMPO, "traces", *ALL)) == list(range(20, 30))
    assert spool.dropped() == {(TEMPO, "traces", "disk_budget"): 20}
    assert spool.backlog(TEMPO, "traces")[:2] == (10, 1000)
    spool.close()


def test_the_budget_is_one_for_both_signals_and_the_oldest_of_both_go() -> None:
    spool = opened(None, max_bytes=4 * ROW)
    for n in range(6):
        spool.add(numbered([n], size=100, signal=("traces", "logs")[n % 2]))
    assert numbers(spool.take(TEMPO, "traces", *ALL)) == [2, 4]
    assert numbers(spool.take(TEMPO, "logs", *ALL)) == [3, 5]
    assert spool.dropped() == {(TEMPO, "traces", "disk_budget"): 1, (TEMPO, "logs", "disk_budget"): 1}
    spool.close()


def test_each_destination_has_a_budget_of_its_own() -> None:
    spool = Spool(None, {TEMPO: Limits(max_bytes=3 * ROW), "loki": Limits(max_bytes=5 * ROW)})
    spool.open()
    for destination in (TEMPO, "loki"):
        spool.add([each._replace(destination=destination) for each in numbered(range(8), size=100)])
    assert numbers(spool.take(TEMPO, "traces", *ALL)) == [5, 6, 7]
    assert numbers(spool.take("loki", "traces", *ALL)) == [3, 4, 5, 6, 7]
    spool.close()


def test_held_messages_count_and_go_with_the_others() -> None:
    spool = opened(None, max_bytes=4 * ROW)
    spool.add([each._replace(held_for="t:0") for each in numbered(range(3), size=100)])
    spool.add(numbered(range(3, 6), size=100))
    spool.write(slice_of(1, released=[(TEMPO, "t:0")]))
    assert numbers(spool.take(TEMPO, "traces", *ALL)) == [3, 4, 5, 2]
    assert spool.dropped() == {(TEMPO, "traces", "disk_budget"): 2}
    spool.close()


def test_a_message_larger_than_the_budget_is_counted_too() -> None:
    spool = opened(None, max_bytes=1000)
    spool.add([message(b"x" * 2000)])
    assert bodies(spool) == []
    assert spool.dropped() == {(TEMPO, "traces", "disk_budget"): 1}
    spool.close()


def test_many_small_messages_do_not_slip_through_the_budget() -> None:
    spool = opened(None, max_bytes=3200)
    spool.add([message(b"") for _ in range(200)])
    assert spool.backlog(TEMPO, "traces").messages == 100
    spool.close()


def test_a_budget_made_smaller_is_reached_step_by_step(path: Path) -> None:
    spool = opened(path)
    spool.add(numbered(range(25_000), size=10))
    spool.close()
    spool = opened(path, max_bytes=420)
    for n in range(25_000, 25_004):
        spool.add(numbered([n], size=10))
    assert numbers(spool.take(TEMPO, "traces", *ALL)) == list(range(24_994, 25_004))
    assert spool.dropped() == {(TEMPO, "traces", "disk_budget"): 24_994}
    spool.close()


def test_the_file_stays_near_its_budget_and_gives_the_disk_back(path: Path) -> None:
    spool = opened(path, max_bytes=8 * MIB)
    for n in range(60):
        spool.add([message(random.Random(n).randbytes(2000)) for _ in range(200)])
    assert path.stat().st_size < 14 * MIB
    spool.done(TEMPO, "traces", ids(spool.take(TEMPO, "traces", *ALL)))
    for _ in range(2):
        spool.expire(0)
    spool.close()
    assert path.stat().st_size < 6 * MIB
    assert sql(path, "PRAGMA integrity_check") == [("ok",)]


def test_what_is_too_old_goes_and_is_counted() -> None:
    spool = opened(None, max_age=1)
    spool.add(numbered(range(10)) + numbered(range(5), signal="logs"))
    assert spool.expire(1_000_000_004) == 8
    assert numbers(spool.take(TEMPO, "traces", *ALL)) == [4, 5, 6, 7, 8, 9]
    assert numbers(spool.take(TEMPO, "logs", *ALL)) == [4]
    assert spool.dropped() == {(TEMPO, "traces", "age_limit"): 4, (TEMPO, "logs", "age_limit"): 4}
    assert spool.expire(1_000_000_004) == 0
    spool.close()


def test_held_messages_grow_old_too() -> None:
    spool = opened(None, max_age=1)
    spool.add([each._replace(held_for="t:0") for each in numbered(range(3))])
    assert spool.expire(1_000_000_002) == 2
    spool.write(slice_of(1, released=[(TEMPO, "t:0")]))
    assert numbers(spool.take(TEMPO, "traces", *ALL)) == [2]
    assert spool.dropped() == {(TEMPO, "traces", "age_limit"): 2}
    spool.close()


def test_more_than_one_transaction_holds_can_expire(path: Path) -> None:
    spool = opened(path, max_age=1)
    spool.add(numbered(range(25_000)))
    assert spool.expire(1_000_024_000) == 24_000
    assert spool.backlog(TEMPO, "traces").messages == 1000
    spool.close()
