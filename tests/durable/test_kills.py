"""SIGKILL under load: what the app acknowledged is at the destination, whatever was killed when."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from otel_taskflow.testing.otlp_receiver import OTLPReceiver
from tests.beside import beside
from tests.collector import otlp_file
from tests.collector.process import running_collector
from tests.crash.programs import WRITERS, Acknowledged
from tests.durable.conftest import Run

PATIENCE = 60.0


def kill_while_flooding(run: Run, url: str, folder: Path) -> None:
    """Kill an app whose tasks log flat out, at a random instant."""
    folder.mkdir()
    process = run("flood", url, folder)
    process.says("flooding")
    acknowledged, deadline = Acknowledged(folder / "acknowledged"), time.monotonic() + PATIENCE
    wanted = random.randint(1, 2000)
    while acknowledged[0] < wanted or not all(acknowledged[writer] for writer in range(WRITERS)):
        assert time.monotonic() < deadline, process.stderr
        time.sleep(random.random() / 100)
    process.kill()


def deliver_the_rest(run: Run, url: str, folder: Path) -> None:
    heir = run("obey", url, folder)
    heir.do("start")
    deadline = time.monotonic() + PATIENCE
    while list((folder / "journal").glob("default*"))[1:]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert heir.do("drain")
    assert heir.do("flush", PATIENCE)
    heir.do("stop")
    heir.close()


def check_lines(folder: Path, bodies: Iterable[str]) -> int:
    """All acknowledged lines are there, in order; returns how many came twice."""
    acknowledged, counts = Acknowledged(folder / "acknowledged"), Counter(bodies)
    for writer in range(WRITERS):
        missing = [n for n in range(1, acknowledged[writer] + 1) if not counts[f"{folder} {writer} {n}"]]
        assert missing == [], (folder, writer, acknowledged[writer])
    return sum(count - 1 for count in counts.values())


@pytest.mark.failure("C1")
@pytest.mark.parametrize(
    "kills",
    [
        pytest.param(3, id="few"),
        pytest.param(100, id="many", marks=[pytest.mark.failures_slow, pytest.mark.timeout(900)]),
    ],
)
def test_acknowledged_lines_arrive_after_kills_at_random_instants(run: Run, tmp_path: Path, kills: int) -> None:
    def kill_once(number: int) -> None:
        with OTLPReceiver() as receiver:
            kill_while_flooding(run, receiver.url, folder := tmp_path / str(number))
            deliver_the_rest(run, receiver.url, folder)
            check_received(receiver, folder)

    beside(kill_once, range(kills))


def check_received(receiver: OTLPReceiver, folder: Path) -> None:
    doubled = check_lines(folder, [body for body in receiver.log_bodies if body.startswith(f"{folder} ")])
    uids = Counter(_uid(record) for record in receiver.log_records)
    assert doubled <= sum(count - 1 for count in uids.values())
    interrupted = [span for span in receiver.spans if span.name == "process count"]
    assert len({span.span_id for span in interrupted}) == WRITERS


def _uid(record: object) -> str:
    (uid,) = [pair.value.string_value for pair in record.attributes if pair.key == "log.record.uid"]  # type: ignore[attr-defined]
    return str(uid)


@pytest.mark.collector
@pytest.mark.failure("C1")
def test_acknowledged_lines_are_in_the_collectors_file_after_app_and_collector_were_killed(
    run: Run, tmp_path: Path
) -> None:
    folder, first, second = tmp_path / "app", tmp_path / "one", tmp_path / "two"
    first.mkdir()
    second.mkdir()
    with running_collector(first) as collector:
        kill_while_flooding(run, collector.http_endpoint, folder)
        collector.kill()
    with running_collector(second) as collector:
        deliver_the_rest(run, collector.http_endpoint, folder)
    records = [*otlp_file.log_records(first / "otlp.jsonl"), *otlp_file.log_records(second / "otlp.jsonl")]
    check_lines(folder, [str(record.body) for record in records if str(record.body).startswith(f"{folder} ")])
    spans = [*otlp_file.spans(first / "otlp.jsonl"), *otlp_file.spans(second / "otlp.jsonl")]
    assert {span.status for span in spans if span.name == "process count"} == {"ERROR"}
