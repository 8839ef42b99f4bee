"""What a report makes of its parts, and what the log says of their changes."""

from __future__ import annotations

import logging

import pytest

from otel_taskflow.health import DEGRADED, FAILED, OK, HealthReport, PartHealth, report_of
from otel_taskflow.manager.checkup import Checkup
from otel_taskflow.manager.watching import HealthWatch, say_what_changed


@pytest.mark.parametrize(
    ("parts", "state"),
    [
        ([], OK),
        ([("store", OK), ("spool", OK)], OK),
        ([("store", OK), ("spool", FAILED), ("destination:tempo", FAILED)], DEGRADED),
        ([("observer:FileLogger", FAILED), ("takeover", OK)], DEGRADED),
        ([("consumer:outbox", FAILED)], DEGRADED),
        ([("journal", DEGRADED)], DEGRADED),
        ([("store", FAILED), ("spool", OK)], FAILED),
        ([("consumer:store", FAILED)], FAILED),
    ],
)
def test_telemetry_never_makes_a_report_worse_than_degraded(parts: list[tuple[str, str]], state: str) -> None:
    report = report_of([PartHealth(*each) for each in parts], 7)
    assert (report.state, report.time) == (state, 7)


def test_of_two_parts_with_one_name_the_worse_counts() -> None:
    first, second = PartHealth("spool", OK, figures={"a": 1}), PartHealth("spool", DEGRADED, "full", figures={"b": 2})
    for parts in ([first, second], [second, first]):
        (part,) = report_of(parts, 0).parts
        assert (part.state, part.why, dict(part.figures)) == (DEGRADED, "full", {"a": 1, "b": 2})


def test_the_worst_trouble_comes_first() -> None:
    parts = [PartHealth("spool", DEGRADED), PartHealth("journal", OK), PartHealth("store", FAILED)]
    assert [each.part for each in report_of(parts, 0).troubled] == ["store", "spool"]


def test_a_part_that_raises_is_degraded_and_the_others_have_their_say() -> None:
    class EvilError(Exception):
        def __str__(self) -> str:
            raise ValueError

    def fail() -> list[PartHealth]:
        raise EvilError

    report = Checkup(("spool", fail), ("journal", lambda: [PartHealth("journal", OK)])).report()
    assert [(each.part, each.state) for each in report.parts] == [("spool", DEGRADED), ("journal", OK)]


def lines_of(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(record.levelname, record.getMessage()) for record in caplog.records]


def report(*parts: PartHealth) -> HealthReport:
    return report_of(parts, 0)


def test_each_change_of_a_state_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "otel_taskflow")
    full = PartHealth("spool", DEGRADED, "the disk is full", "free some space")
    states: dict[str, str] = {}
    for now in (PartHealth("spool", OK), full, full._replace(why="still full"), full._replace(state=FAILED)):
        states = say_what_changed(states, report(now))
    say_what_changed(states, report(PartHealth("spool", OK)))
    assert lines_of(caplog) == [
        ("WARNING", "otel_taskflow: spool is degraded: the disk is full; free some space"),
        ("WARNING", "otel_taskflow: spool is failed: the disk is full; free some space"),
        ("INFO", "otel_taskflow: spool is ok again"),
    ]


def test_what_a_part_says_itself_is_not_said_again(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "otel_taskflow")
    states = say_what_changed({}, report(PartHealth("journal", DEGRADED, is_told=True)))
    assert lines_of(caplog) == []
    say_what_changed(states, report(PartHealth("journal", OK)))
    assert lines_of(caplog) == [("INFO", "otel_taskflow: journal is ok again")]


def test_a_listener_that_raises_keeps_no_other_from_hearing() -> None:
    watch = HealthWatch(lambda: report(PartHealth("store", OK)))
    heard: list[HealthReport] = []
    watch.on_look(lambda _: 1 / 0)
    take_back = watch.on_look(heard.append)
    watch.look()
    take_back()
    watch.look()
    assert len(heard) == 1
