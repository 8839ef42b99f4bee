"""What the sender relies on: taking, what arrived, what was refused, and figures that add up."""

from __future__ import annotations

import itertools
import time

from hypothesis import given
from hypothesis import strategies as st

from otel_taskflow.spool import Backlog, Spool
from otel_taskflow.spool.runs import Eviction, runs_of, take_back
from tests.spool.support import SHOP, TEMPO, bodies, ids, message, numbered, numbers, opened

ALL = (1_000_000, 1 << 40)
LOST = (TEMPO, "traces", "disk_budget")


# Taking


def test_the_oldest_are_taken_first_and_stay(spool: Spool) -> None:
    spool.add(numbered(range(10)))
    assert numbers(spool.take(TEMPO, "traces", 3, 999)) == [0, 1, 2]
    assert numbers(spool.take(TEMPO, "traces", 3, 999)) == [0, 1, 2]


def test_no_more_bytes_are_taken_than_asked_for_but_one_message_always(spool: Spool) -> None:
    spool.add(numbered(range(10), size=100))
    assert numbers(spool.take(TEMPO, "traces", 9, 300)) == [0, 1, 2]
    assert numbers(spool.take(TEMPO, "traces", 9, 399)) == [0, 1, 2]
    assert numbers(spool.take(TEMPO, "traces", 9, 1)) == [0]
    assert numbers(spool.take(TEMPO, "traces", 0, 0)) == [0]


def test_each_signal_of_each_destination_has_its_own_queue(spool: Spool) -> None:
    spool.add([message("a"), message("b", signal="logs"), message("c", destination="loki", signal="logs")])
    assert [bodies(spool, *queue) for queue in (("traces",), ("logs",), ("logs", "loki"))] == [["a"], ["b"], ["c"]]
    assert bodies(spool, "traces", "loki") == []


def test_a_message_comes_out_as_it_went_in(spool: Spool) -> None:
    body = bytes(range(256)) * 40
    spool.add([message(body, time=1_700_000_000_123_456_789)])
    (stored,) = spool.take(TEMPO, "traces", *ALL)
    assert stored[1:] == (SHOP, body, 1_700_000_000_123_456_789)


# What arrived


def test_what_is_done_is_gone_and_counted(spool: Spool) -> None:
    before = time.time_ns()
    spool.add(numbered(range(10), size=100))
    spool.done(TEMPO, "traces", ids(spool.take(TEMPO, "traces", 4, 9999)))
    assert numbers(spool.take(TEMPO, "traces", *ALL)) == [4, 5, 6, 7, 8, 9]
    assert spool.backlog(TEMPO, "traces") == Backlog(6, 600, 4)
    counters = spool.delivered(TEMPO, "traces")
    assert counters[:2] == (4, 400)
    assert abs(counters.since - before) < 60e9


def test_what_is_done_leaves_others_between_alone(spool: Spool) -> None:
    spool.add(numbered(range(10)))
    taken = spool.take(TEMPO, "traces", *ALL)
    spool.done(TEMPO, "traces", ids(taken)[::2])
    assert numbers(spool.take(TEMPO, "traces", *ALL)) == [1, 3, 5, 7, 9]
    spool.done(TEMPO, "traces", list(reversed(ids(taken))))
    assert spool.take(TEMPO, "traces", *ALL) == []
    assert spool.delivered(TEMPO, "traces").delivered == 10


def test_what_is_done_twice_counts_once(spool: Spool) -> None:
    spool.add(numbered(range(10)))
    taken = ids(spool.take(TEMPO, "traces", 5, 9999))
    for _ in range(2):
        spool.done(TEMPO, "traces", taken)
    assert spool.delivered(TEMPO, "traces").delivered == 5
    assert spool.dropped() == {}


def test_ids_of_another_queue_are_left_alone(spool: Spool) -> None:
    spool.add([message("a"), message("b", signal="logs")])
    spool.done(TEMPO, "logs", ids(spool.take(TEMPO, "traces", *ALL)))
    spool.done("loki", "logs", ids(spool.take(TEMPO, "traces", *ALL)))
    spool.quarantine(TEMPO, "logs", spool.take(TEMPO, "traces", *ALL)[0].id, 400, "", 0)
    assert (bodies(spool), bodies(spool, "logs")) == (["a"], ["b"])


def test_ids_are_never_given_twice(spool: Spool) -> None:
    seen: set[int] = set()
    for _ in range(3):
        spool.add(numbered(range(3)))
        new = ids(spool.take(TEMPO, "traces", *ALL))
        assert not seen.intersection(new)
        seen.update(new)
        spool.done(TEMPO, "traces", new)


def test_what_was_rejected_of_a_batch_is_counted_as_dropped_not_as_delivered(spool: Spool) -> None:
    spool.add(numbered(range(10)))
    spool.done(TEMPO, "traces", ids(spool.take(TEMPO, "traces", *ALL)), dropped=("partial", 3))
    assert spool.delivered(TEMPO, "traces").delivered == 7
    assert spool.dropped() == {(TEMPO, "traces", "partial"): 3}
    assert spool.backlog(TEMPO, "traces") == Backlog(0, 0, None)


def test_an_unknown_queue_is_empty(spool: Spool) -> None:
    assert spool.backlog("nobody", "logs") == Backlog(0, 0, None)
    assert spool.delivered("nobody", "logs")[:2] == (0, 0)
    assert spool.take("nobody", "logs", *ALL) == []


# Quarantine


def test_a_refused_message_is_put_aside_with_the_answer(spool: Spool) -> None:
    spool.add(numbered(range(3), size=10))
    poisoned = spool.take(TEMPO, "traces", *ALL)[1]
    spool.quarantine(TEMPO, "traces", poisoned.id, 400, "line 1: no such field" + "!" * 9999, 77)
    assert numbers(spool.take(TEMPO, "traces", *ALL)) == [0, 2]
    assert spool.backlog(TEMPO, "traces") == Backlog(2, 20, 0)
    (found,) = spool.quarantined(TEMPO)
    assert found[:6] == (poisoned.id, "traces", SHOP, poisoned.body, 1, 400)
    assert found.answer.startswith("line 1: no such field!")
    assert len(found.answer) < 5000
    assert found.quarantined_at == 77
    assert spool.dropped() == {(TEMPO, "traces", "quarantined"): 1}
    assert spool.quarantined("loki") == []


def test_the_newest_refusals_come_first_up_to_the_limit(spool: Spool) -> None:
    spool.add(numbered(range(5)))
    for each in spool.take(TEMPO, "traces", *ALL):
        spool.quarantine(TEMPO, "traces", each.id, 400, "", each.time)
    assert [each.time for each in spool.quarantined(TEMPO, 3)] == [4, 3, 2]


def test_a_message_is_refused_once(spool: Spool) -> None:
    spool.add(numbered(range(2)))
    first = spool.take(TEMPO, "traces", 1, 1)[0].id
    for _ in range(2):
        spool.quarantine(TEMPO, "traces", first, 400, "", 0)
    spool.quarantine("nobody", "traces", first, 400, "", 0)
    assert len(spool.quarantined(TEMPO)) == 1
    assert spool.dropped() == {(TEMPO, "traces", "quarantined"): 1}


def test_the_quarantine_does_not_grow_for_ever(spool: Spool) -> None:
    spool.add(numbered(range(40), size=1024 * 1024))
    for each in spool.take(TEMPO, "traces", *ALL):
        spool.quarantine(TEMPO, "traces", each.id, 400, "", each.time)
    assert [each.time for each in spool.quarantined(TEMPO)] == list(range(39, 23, -1))
    assert spool.dropped() == {(TEMPO, "traces", "quarantined"): 40}


# What goes unsent while it is being sent


def test_what_was_evicted_while_it_was_being_sent_and_arrived_is_no_loss() -> None:
    spool = opened(None, max_bytes=10 * 132)
    spool.add(numbered(range(10), size=100))
    taken = ids(spool.take(TEMPO, "traces", 6, 9999))
    spool.add(numbered(range(10, 14), size=100))
    assert spool.dropped() == {LOST: 4}
    spool.done(TEMPO, "traces", taken)
    assert spool.dropped() == {}
    assert spool.delivered(TEMPO, "traces").delivered == 6
    assert numbers(spool.take(TEMPO, "traces", *ALL)) == list(range(6, 14))
    spool.done(TEMPO, "traces", taken)
    assert spool.delivered(TEMPO, "traces").delivered == 6
    spool.close()


def test_what_was_evicted_and_did_not_arrive_stays_a_loss() -> None:
    spool = opened(None, max_bytes=10 * 132)
    spool.add(numbered(range(10), size=100))
    taken = spool.take(TEMPO, "traces", 6, 9999)
    for n in (10, 12):  # evicts 0 to 3
        spool.add(numbered([n, n + 1], size=100))
    spool.done(TEMPO, "traces", ids(taken)[2:4], dropped=("partial", 1))
    assert spool.dropped() == {LOST: 2, (TEMPO, "traces", "partial"): 1}
    spool.quarantine(TEMPO, "traces", taken[0].id, 400, "", 0)
    assert spool.dropped() == {LOST: 2, (TEMPO, "traces", "partial"): 1}
    assert spool.delivered(TEMPO, "traces").delivered == 1
    spool.close()


def test_what_expired_while_it_was_being_sent_and_arrived_is_no_loss_either() -> None:
    spool = opened(None, max_bytes=10 * 132, max_age=1)
    spool.add(numbered(range(10), size=100))
    taken = ids(spool.take(TEMPO, "traces", *ALL))
    spool.add(numbered([10], size=100))
    spool.expire(1_000_000_005)
    assert spool.dropped() == {LOST: 1, (TEMPO, "traces", "age_limit"): 4}
    spool.done(TEMPO, "traces", taken[:3])
    assert spool.dropped() == {(TEMPO, "traces", "age_limit"): 2}
    spool.done(TEMPO, "traces", taken[3:])
    assert spool.dropped() == {}
    assert spool.delivered(TEMPO, "traces").delivered == 10
    assert numbers(spool.take(TEMPO, "traces", *ALL)) == [10]
    spool.close()


Ids = st.sets(st.integers(0, 30))


@given(Ids)
def test_runs_are_the_ids_in_as_few_pieces_as_can_be(some: set[int]) -> None:
    runs = runs_of(some)
    assert {id_ for first, last in runs for id_ in range(first, last + 1)} == some
    assert all(last + 1 < first for (_, last), (first, _) in itertools.pairwise(runs))


@given(Ids, Ids, Ids)
def test_taking_back_splits_evictions_into_lost_and_arrived(budget: set[int], age: set[int], arrived: set[int]) -> None:
    reasons = {**dict.fromkeys(budget, "budget"), **dict.fromkeys(age, "age")}
    by_reason = {reason: [id_ for id_, why in reasons.items() if why == reason] for reason in ("budget", "age")}
    evictions = [Eviction(*run, reason) for reason, some in by_reason.items() for run in runs_of(some)]
    lost, found = take_back(evictions, runs_of(arrived))

    def spread(pieces: list[Eviction]) -> dict[int, str]:
        return {id_: each.reason for each in pieces for id_ in range(each.first, each.last + 1)}

    assert spread(lost) == {id_: why for id_, why in reasons.items() if id_ not in arrived}
    assert spread(found) == {id_: why for id_, why in reasons.items() if id_ in arrived}
