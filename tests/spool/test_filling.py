"""What the outbox relies on: slices, offsets, attempts that are running, messages that are held."""

from __future__ import annotations

import pytest

from otel_taskflow.errors import SpoolError
from otel_taskflow.spool import Backlog, Limits, Source, Spool
from tests.spool.support import SHOP, TEMPO, bodies, message, slice_of

# Slices


def test_a_slice_and_its_offset_are_stored_together(spool: Spool) -> None:
    spool.write(slice_of(7, [message("a"), message("b")]))
    assert spool.offset("journal-a") == 7
    assert bodies(spool) == ["a", "b"]


def test_an_unknown_journal_has_offset_0(spool: Spool) -> None:
    assert spool.offset("journal-x") == 0


@pytest.mark.parametrize("offset", [6, 7])
def test_a_slice_that_was_written_before_changes_nothing(spool: Spool, offset: int) -> None:
    spool.write(slice_of(7, [message("a")], dropped={(TEMPO, "logs", "lag"): 2}, open_attempts={"t:0": b"state"}))
    spool.write(
        slice_of(
            offset,
            [message("b")],
            dropped={(TEMPO, "logs", "lag"): 2},
            closed_attempts=["t:0"],
            released=[(TEMPO, "x")],
        )
    )
    assert bodies(spool) == ["a"]
    assert spool.offset("journal-a") == 7
    assert spool.dropped() == {(TEMPO, "logs", "lag"): 2}
    assert spool.open_attempt("t:0") == b"state"


def test_journals_have_offsets_of_their_own(spool: Spool) -> None:
    spool.write(slice_of(7, [message("a")]))
    spool.write(slice_of(3, [message("b")], "journal-b"))
    assert (spool.offset("journal-a"), spool.offset("journal-b")) == (7, 3)
    assert bodies(spool) == ["a", "b"]


def test_a_forgotten_journal_begins_anew(spool: Spool) -> None:
    spool.write(slice_of(7, [message("a")]))
    spool.forget_journal("journal-a")
    assert spool.offset("journal-a") == 0
    spool.write(slice_of(1, [message("b")]))
    assert bodies(spool) == ["a", "b"]


def test_a_slice_without_messages_moves_the_offset(spool: Spool) -> None:
    spool.write(slice_of(7))
    assert spool.offset("journal-a") == 7


@pytest.mark.parametrize("bad", [message(time=2**63), message(destination="lone \ud800")])
def test_a_slice_with_a_value_that_cannot_be_stored_is_refused_whole(spool: Spool, bad: object) -> None:
    new = Source(b"new", "", b"", "")
    with pytest.raises(ValueError, match="cannot be stored"):
        spool.write(slice_of(1, [message("a", source=new), bad], open_attempts={"t:0": b"state"}))  # type: ignore[list-item]
    assert spool.offset("journal-a") == 0
    assert spool.open_attempt("t:0") is None
    assert bodies(spool) == []
    spool.write(slice_of(1, [message("a", source=new)]))
    assert spool.take(TEMPO, "traces", 1, 1)[0].source == new


def test_what_the_outbox_dropped_is_added_to_the_counters(spool: Spool) -> None:
    spool.write(slice_of(1, dropped={(TEMPO, "logs", "lag"): 2, (TEMPO, "traces", "lag"): 1}))
    spool.write(slice_of(2, dropped={(TEMPO, "logs", "lag"): 3}))
    assert spool.dropped() == {(TEMPO, "logs", "lag"): 5, (TEMPO, "traces", "lag"): 1}


def test_attempts_that_are_running_are_kept_until_they_are_closed(spool: Spool) -> None:
    spool.write(slice_of(1, open_attempts={"t:0": b"one", "u:0": b"other"}))
    spool.write(slice_of(2, open_attempts={"t:0": b"two"}))
    assert spool.open_attempt("t:0") == b"two"
    spool.write(slice_of(3, closed_attempts=["t:0", "never seen"]))
    assert spool.open_attempt("t:0") is None
    assert spool.open_attempt("u:0") == b"other"


def test_messages_without_a_journal_can_be_added(spool: Spool) -> None:
    spool.add([message("a"), message("b", signal="logs")])
    assert (bodies(spool), bodies(spool, "logs")) == (["a"], ["b"])


# Sources


def test_a_source_is_stored_once_and_its_messages_share_the_object(spool: Spool) -> None:
    for _ in range(2):
        spool.add([message(source=Source(b"r" * 10, "u", b"s", "v")), message(source=SHOP)])
    first, shop, second, _ = spool.take(TEMPO, "traces", 9, 999)
    assert first.source == Source(b"r" * 10, "u", b"s", "v")
    assert first.source is second.source
    assert shop.source == SHOP


def test_sources_that_look_alike_are_told_apart(spool: Spool) -> None:
    alike = [
        Source(b"ab", "", b"c", ""),
        Source(b"a", "", b"bc", ""),
        Source(b"a", "b", b"c", ""),
        Source(b"", "ab", b"c", ""),
    ]
    spool.add([message(source=source) for source in alike])
    assert [each.source for each in spool.take(TEMPO, "traces", 9, 999)] == alike


def test_sources_of_processes_that_are_gone_do_not_gather(spool: Spool) -> None:
    for n in range(150):
        spool.add([message(source=Source(b"process %d" % n, "", b"", ""))])
    spool.quarantine(TEMPO, "traces", spool.take(TEMPO, "traces", 1, 1)[0].id, 400, "no", 0)
    spool.done(TEMPO, "traces", [each.id for each in spool.take(TEMPO, "traces", 999, 9999)])
    spool.expire(0)
    assert spool.quarantined(TEMPO)[0].source.resource == b"process 0"
    spool.add([message(source=Source(b"process 149", "", b"", "")), message(source=Source(b"process 0", "", b"", ""))])
    assert [each.source.resource for each in spool.take(TEMPO, "traces", 9, 999)] == [b"process 149", b"process 0"]


# Held messages


def test_a_held_message_is_neither_sent_nor_counted_as_waiting(spool: Spool) -> None:
    spool.write(slice_of(1, [message("line", held_for="t:0"), message("span")]))
    assert bodies(spool) == ["span"]
    assert spool.backlog(TEMPO, "traces") == Backlog(1, 4, 1000)


def test_released_messages_go_behind_what_waits(spool: Spool) -> None:
    spool.write(slice_of(1, [message("a", held_for="t:0"), message("b", held_for="u:0"), message("c", held_for="t:0")]))
    spool.write(slice_of(2, [message("d")]))
    spool.write(slice_of(3, [message("e")], released=[(TEMPO, "t:0")]))
    assert bodies(spool) == ["d", "a", "c", "e"]
    assert spool.backlog(TEMPO, "traces") == Backlog(4, 4, 1000)
    spool.write(slice_of(4, released=[(TEMPO, "t:0")]))
    assert bodies(spool) == ["d", "a", "c", "e"]


def test_released_messages_of_both_signals_go(spool: Spool) -> None:
    spool.write(slice_of(1, [message("a", held_for="t:0"), message("b", held_for="t:0", signal="logs")]))
    spool.write(slice_of(2, released=[(TEMPO, "t:0")]))
    assert (bodies(spool), bodies(spool, "logs")) == (["a"], ["b"])


def test_discarded_messages_are_no_loss(spool: Spool) -> None:
    spool.write(slice_of(1, [message("a", held_for="t:0"), message("b", held_for="u:0")]))
    spool.write(slice_of(2, discarded=[(TEMPO, "t:0")]))
    spool.write(slice_of(3, released=[(TEMPO, "t:0"), (TEMPO, "u:0")]))
    assert bodies(spool) == ["b"]
    assert spool.dropped() == {}


def test_what_is_released_for_one_destination_stays_held_for_another(spool: Spool) -> None:
    held = [message("a", held_for="t:0"), message("b", held_for="t:0", destination="loki")]
    spool.write(slice_of(1, held))
    spool.write(slice_of(2, released=[(TEMPO, "t:0")]))
    assert (bodies(spool), bodies(spool, destination="loki")) == (["a"], [])
    spool.write(slice_of(3, released=[("loki", "t:0")]))
    assert bodies(spool, destination="loki") == ["b"]


def test_what_begins_and_ends_in_one_slice_is_decided_there(spool: Spool) -> None:
    lines = [message(f"{key} {n}", held_for=key) for n in range(2) for key in ("bad", "good", "running")]
    spool.write(slice_of(1, lines, released=[(TEMPO, "bad")], discarded=[(TEMPO, "good")]))
    assert bodies(spool) == ["bad 0", "bad 1"]
    spool.write(slice_of(2, released=[(TEMPO, "good"), (TEMPO, "running")]))
    assert bodies(spool) == ["bad 0", "bad 1", "running 0", "running 1"]


# Listeners


def test_a_listener_hears_of_what_can_be_sent_until_it_is_taken_back(spool: Spool) -> None:
    calls: list[str] = []
    take_back = spool.on_write(lambda: calls.append("call"))
    spool.write(slice_of(1, [message()]))
    spool.add([message()])
    assert calls == ["call"] * 2
    spool.write(slice_of(1, [message()]))
    spool.write(slice_of(2))
    assert calls == ["call"] * 2
    spool.write(slice_of(3, released=[(TEMPO, "t:0")]))
    assert calls == ["call"] * 3
    take_back()
    take_back()
    spool.add([message()])
    assert calls == ["call"] * 3


def test_a_listener_that_raises_harms_neither_the_writer_nor_others(
    spool: Spool, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[str] = []

    def fail() -> None:
        calls.append("first")
        raise ZeroDivisionError

    spool.on_write(fail)
    spool.on_write(lambda: calls.append("second"))
    spool.add([message("a")])
    assert calls == ["first", "second"]
    assert bodies(spool) == ["a"]
    assert "ZeroDivisionError" in caplog.text


def test_a_listener_sees_what_was_written(spool: Spool) -> None:
    seen: list[list[str]] = []
    spool.on_write(lambda: seen.append(bodies(spool)))
    spool.add([message("a")])
    assert seen == [["a"]]


# Life


def test_a_spool_that_is_not_open_says_so() -> None:
    spool = Spool(None, {})
    for call in (lambda: spool.add([message()]), lambda: spool.offset("journal-a"), lambda: spool.expire(0)):
        with pytest.raises(SpoolError, match=r"not open; call open\(\) first"):
            call()


def test_opening_and_closing_twice_is_no_error(spool: Spool) -> None:
    spool.open()
    spool.add([message("a")])
    assert bodies(spool) == ["a"]
    spool.close()
    spool.close()
    with pytest.raises(SpoolError, match="not open"):
        spool.add([message()])


def test_a_destination_without_limits_has_the_default_ones() -> None:
    spool = Spool(None, {"other": Limits(max_bytes=0)})
    spool.open()
    spool.add([message("a"), message("b", destination="other")])
    assert (bodies(spool), bodies(spool, destination="other")) == (["a"], [])
    spool.close()
