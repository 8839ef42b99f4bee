"""What comes late: a host that was cut off sends what is hours old beside others that send what is new."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from time import time_ns

import pytest

from tests.backends.loki import Loki, running_loki
from tests.backends.otlp import HOUR, SECOND, post_counter, post_logs
from tests.backends.prometheus import CONFIGURATION as PROMETHEUS
from tests.backends.prometheus import Prometheus, running_prometheus
from tests.backends.stack import wait_until
from tests.collector.process import CONFIG

pytestmark = [pytest.mark.backends, pytest.mark.timeout(120)]
DAY = 24.0 * 3600
OUTAGE = 3 * HOUR
LINES_OF_THE_OUTAGE = 181
"""One a minute."""


@pytest.fixture(scope="module")
def loki(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loki]:
    """Loki as it is configured here."""
    with running_loki(tmp_path_factory.mktemp("loki")) as running:
        yield running


@pytest.fixture(scope="module")
def plain_loki(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loki]:
    """Loki with its default windows: without what the configuration sets for late records."""
    folder = tmp_path_factory.mktemp("plain")
    text = (CONFIG / "backends" / "loki.yaml").read_text()
    for setting, default in (
        ("time_sharding_enabled: true", "time_sharding_enabled: false"),
        ("look_back_period: 168h", "look_back_period: 0s"),
    ):
        assert setting in text
        text = text.replace(setting, default)
    (folder / "plain.yaml").write_text(text)
    with running_loki(folder, configuration=folder / "plain.yaml") as running:
        yield running


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    with running_prometheus(tmp_path_factory.mktemp("prometheus")) as running:
        yield running


def outage(host: str) -> list[tuple[int, str]]:
    """A line a minute from three hours ago until now."""
    now = time_ns()
    first = now - OUTAGE
    step = OUTAGE // (LINES_OF_THE_OUTAGE - 1)
    return [(first + number * step, f"{host} {number}") for number in range(LINES_OF_THE_OUTAGE)]


def lines_of(loki: Loki, service: str) -> list[str]:
    return [line.text for line in loki.lines(f'{{service_name="{service}"}}', since=10 * DAY)]


def test_what_a_host_kept_for_three_hours_is_taken_beside_what_another_one_sends_now(loki: Loki) -> None:
    here = post_logs(loki.otlp_endpoint, [(time_ns(), "here")], instance="here", service="cut")
    there = post_logs(loki.otlp_endpoint, outage("there"), instance="there", service="cut")
    assert (here.status, there.status) == (204, 204)
    assert sorted(lines_of(loki, "cut")) == sorted(["here", *(text for _, text in outage("there"))])


def test_without_the_setting_loki_refuses_what_is_an_hour_behind_its_stream_and_takes_the_rest(
    plain_loki: Loki,
) -> None:
    post_logs(plain_loki.otlp_endpoint, [(time_ns(), "here")], instance="here", service="cut")
    there = post_logs(plain_loki.otlp_endpoint, outage("there"), instance="there", service="cut")
    assert there.status == 400
    assert "too far behind" in there.text
    kept = lines_of(plain_loki, "cut")
    assert "there 0" not in kept
    assert f"there {LINES_OF_THE_OUTAGE - 1}" in kept


@pytest.mark.parametrize(("age", "status"), [(6 * 24 * HOUR, 204), (8 * 24 * HOUR, 400)])
def test_loki_takes_a_record_for_a_week(loki: Loki, age: int, status: int) -> None:
    answer = post_logs(loki.otlp_endpoint, [(time_ns() - age, "old")], instance="one", service=f"old-{status}")
    assert answer.status == status
    assert lines_of(loki, f"old-{status}") == (["old"] if status == 204 else [])
    assert ("timestamp too old" in answer.text) == (status == 400)


@pytest.mark.parametrize(("seconds", "status"), [(500, 204), (700, 400)])
def test_loki_takes_a_record_of_a_clock_that_is_ten_minutes_ahead(loki: Loki, seconds: int, status: int) -> None:
    answer = post_logs(loki.otlp_endpoint, [(time_ns() + seconds * SECOND, "new")], instance="one", service="ahead")
    assert answer.status == status
    assert ("timestamp too new" in answer.text) == (status == 400)


def test_a_record_that_comes_twice_is_shown_once_and_counted_twice_if_its_chunk_was_written_meanwhile(
    tmp_path: Path,
) -> None:
    now = time_ns()
    records = [(now - number * SECOND, f"line {number}") for number in range(20)]
    with running_loki(tmp_path) as loki:

        def counts_after_sending() -> tuple[int, float]:
            post_logs(loki.otlp_endpoint, records, instance="one", service="twice", **{"log.record.uid": "a"})
            counted = loki.number('sum(count_over_time({service_name="twice"}[1h]))')
            return len(lines_of(loki, "twice")), counted

        assert counts_after_sending() == (20, 20)
        assert counts_after_sending() == (20, 20)
        loki.flush()
        assert counts_after_sending() == (20, 40)


def test_two_records_of_the_same_time_and_text_are_two_if_their_uid_differs(loki: Loki) -> None:
    now = time_ns()
    for uid in ("a", "b"):
        post_logs(loki.otlp_endpoint, [(now, "same")], instance="one", service="same", **{"log.record.uid": uid})
    assert loki.number('sum(count_over_time({service_name="same"}[1h]))') == 2


def count_of(prometheus: Prometheus, name: str) -> int:
    """How many samples of a counter there are, whatever their age."""
    return int(prometheus.number(f"sum(count_over_time({name}[10h]))"))


def test_samples_that_come_hours_late_are_taken_beside_new_ones(prometheus: Prometheus) -> None:
    now = time_ns()
    here = post_counter(prometheus.otlp_endpoint, "late.here", [(now, 1)], instance="here")
    minutes = [(now - OUTAGE + number * 60 * SECOND, number) for number in range(180)]
    there = post_counter(prometheus.otlp_endpoint, "late.there", minutes, instance="there")
    assert (here.status, there.status) == (200, 200)
    assert wait_until(lambda: count_of(prometheus, "late_there_total") == len(minutes))


def test_samples_of_one_series_may_come_in_any_order(prometheus: Prometheus) -> None:
    now = time_ns()
    for back in (0, 2 * HOUR, HOUR):
        answer = post_counter(prometheus.otlp_endpoint, "mixed", [(now - back, 9 - back // HOUR)], instance="one")
        assert answer.status == 200
    assert wait_until(lambda: count_of(prometheus, "mixed_total") == 3)


def test_samples_older_than_the_window_are_refused(prometheus: Prometheus) -> None:
    now = time_ns()
    post_counter(prometheus.otlp_endpoint, "ancient", [(now, 9)], instance="one")
    answer = post_counter(prometheus.otlp_endpoint, "ancient", [(now - 7 * HOUR, 1)], instance="one")
    assert answer.status == 400
    assert count_of(prometheus, "ancient_total") == 1


def test_without_the_setting_prometheus_refuses_what_is_an_hour_behind_its_newest_sample(tmp_path: Path) -> None:
    text = PROMETHEUS.read_text()
    assert "time_window: 6h" in text
    (tmp_path / "plain.yaml").write_text(text.replace("time_window: 6h", "time_window: 0s"))
    with running_prometheus(tmp_path, configuration=tmp_path / "plain.yaml") as plain:
        now = time_ns()
        answers = [
            post_counter(plain.otlp_endpoint, name, [(now - minutes * 60 * SECOND, 1)], instance="one")
            for name, minutes in (("newest", 0), ("late", 50), ("too.late", 70), ("newest", 1))
        ]
        assert [answer.status for answer in answers] == [200, 200, 400, 400]
        assert ["out of bounds" in answers[2].text, "out of order" in answers[3].text] == [True, True]


def test_one_sample_that_is_too_old_spoils_its_request(prometheus: Prometheus) -> None:
    now = time_ns()
    answer = post_counter(prometheus.otlp_endpoint, "spoilt", [(now, 2), (now - 7 * HOUR, 1)], instance="one")
    assert answer.status == 400
    assert count_of(prometheus, "spoilt_total") == 0
