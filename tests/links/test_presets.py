"""The links into known back ends, as their pages want them."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from otel_taskflow import ConfigurationError, links
from otel_taskflow.links import Place, read_links
from otel_taskflow.model import AttemptRow, LogRow, SpanIdentity, TaskRow, TaskStatus
from otel_taskflow.web.deep_links import DeepLinks
from tests.links.examples import MILLISECOND, NOON, TRACE

SPAN = SpanIdentity(TRACE, "00f067aa0ba902b7", "b7ad6b7169203331")
TASK = TaskRow("7b1c-9", "send_email", TaskStatus.SUCCESS, NOON, span=SPAN, ended_at=NOON + 5_000 * MILLISECOND)
ATTEMPT = AttemptRow("7b1c-9", 1, NOON + 1_000 * MILLISECOND, SPAN._replace(span_id="c" * 16), "host:1", TASK.ended_at)
LINE = LogRow("7b1c-9", 1, 12, NOON + 2_000 * MILLISECOND, "info", "sent")
NOW = NOON + 3_600_000 * MILLISECOND


def all_of(templates: dict[str, str]) -> dict[str, dict[str, str]]:
    made = DeepLinks(read_links(templates))
    return {
        "task": made.of_task(TASK, NOW),
        "request": made.of_request(TASK, NOW),
        "attempt": made.of_attempt(TASK, ATTEMPT, NOW),
        "line": made.of_line(TASK, ATTEMPT.span, LINE),
    }


def pane_of(url: str) -> dict[str, Any]:
    query = parse_qs(urlsplit(url).query, strict_parsing=True)
    assert query["schemaVersion"] == ["1"]
    pane: dict[str, Any] = json.loads(query["panes"][0])["a"]
    return pane


def test_jaeger_opens_the_trace_with_the_span_found() -> None:
    found = all_of(links.jaeger("https://example.com/jaeger/"))
    trace = f"https://example.com/jaeger/trace/{TRACE}"
    assert found == {
        "task": {"Trace in Jaeger": f"{trace}?uiFind=00f067aa0ba902b7"},
        "request": {"Trace in Jaeger": f"{trace}?uiFind=b7ad6b7169203331"},
        "attempt": {"Trace in Jaeger": f"{trace}?uiFind={'c' * 16}"},
        "line": {"Trace in Jaeger": f"{trace}?uiFind={'c' * 16}"},
    }


@pytest.mark.parametrize(
    ("site", "host"),
    [
        ("datadoghq.com", "app.datadoghq.com"),
        ("us5.datadoghq.com", "us5.datadoghq.com"),
        ("datadoghq.eu", "app.datadoghq.eu"),
    ],
)
def test_datadog_is_asked_at_its_site_with_the_span_as_a_decimal_number(site: str, host: str) -> None:
    found = all_of(links.datadog(site))
    trace = f"https://{host}/apm/trace/{TRACE}"
    assert found["task"]["Trace in Datadog"] == f"{trace}?spanID=67667974448284343&timeHint=1767268800000"
    assert found["request"] == {"Trace in Datadog": f"{trace}?spanID=13235353014750950193&timeHint=1767268800000"}
    logs = f"https://{host}/logs?query="
    around = "&from_ts=1767268740000&to_ts=1767268865000&live=false"
    assert found["task"]["Logs in Datadog"] == f"{logs}%40otel_taskflow.task.id%3A%227b1c-9%22{around}"
    assert found["attempt"]["Attempt's logs in Datadog"].startswith(
        f"{logs}%40otel_taskflow.task.id%3A%227b1c-9%22%20%40otel_taskflow.attempt.number%3A2&from_ts=1767268741000&"
    )
    assert found["line"]["Line in Datadog"].startswith(f"{logs}%40log.record.uid%3A%227b1c-9-1-12%22&")


def test_grafana_opens_the_span_in_tempo() -> None:
    found = all_of(links.grafana("http://127.0.0.1:3000", tempo="my-tempo"))
    for place, span_id in [
        ("task", SPAN.span_id),
        ("request", SPAN.parent_span_id),
        ("attempt", "c" * 16),
        ("line", "c" * 16),
    ]:
        url = found[place]["Trace in Grafana"]
        assert url.startswith("http://127.0.0.1:3000/explore?")
        pane = pane_of(url)
        assert pane["datasource"] == "my-tempo"
        assert pane["queries"] == [
            {
                "refId": "A",
                "datasource": {"type": "tempo", "uid": "my-tempo"},
                "queryType": "traceql",
                "query": TRACE,
            }
        ]
        assert pane["panelsState"] == {"trace": {"spanId": span_id}}


def test_grafana_opens_the_lines_in_loki_in_a_range_of_time_that_holds_them() -> None:
    found = all_of(links.grafana("https://g.example.com/grafana", loki="my-loki"))
    of_task = '{service_name=~".+"} | otel_taskflow_task_id="7b1c-9"'
    wanted = {
        ("task", "Logs in Grafana"): (of_task, "1767268740000", "1767268865000"),
        ("attempt", "Attempt's logs in Grafana"): (
            f'{of_task} | otel_taskflow_attempt_number="2"',
            "1767268741000",
            "1767268865000",
        ),
        ("line", "Line in Grafana"): (
            '{service_name=~".+"} | log_record_uid="7b1c-9-1-12"',
            "1767268742000",
            "1767268862000",
        ),
    }
    for (place, name), (query, begin, end) in wanted.items():
        pane = pane_of(found[place][name])
        assert pane["queries"][0]["expr"] == query
        assert pane["queries"][0]["datasource"] == {"type": "loki", "uid": "my-loki"}
        assert pane["range"] == {"from": begin, "to": end}


def test_grafana_looks_through_one_service_if_it_is_told_which() -> None:
    found = all_of(links.grafana("https://g.example.com", service='the "shop"'))
    assert pane_of(found["task"]["Logs in Grafana"])["queries"][0]["expr"].startswith(
        r'{service_name="the \"shop\""} | '
    )


def test_grafana_without_a_data_source_has_no_links_to_it() -> None:
    assert [*links.grafana("https://g.example.com", loki=None)] == ["Trace in Grafana"]
    assert "Trace in Grafana" not in links.grafana("https://g.example.com", tempo=None)
    assert links.grafana("https://g.example.com", tempo=None, loki=None) == {}


def test_each_link_of_a_preset_stands_where_it_belongs() -> None:
    places = {link.name: link.place for link in read_links(links.grafana("https://g.example.com") | links.datadog())}
    for name, place in places.items():
        kind = name.partition(" in ")[0]
        assert (
            place
            is {"Trace": Place.SPAN, "Logs": Place.TASK, "Attempt's logs": Place.ATTEMPT, "Line": Place.LINE}[kind]
        )


@pytest.mark.parametrize(
    "wrong", ["grafana.example.com", "javascript:alert(1)", "https://x/?orgId=1", "https://u:p@x", 7, None]
)
def test_a_preset_refuses_what_is_no_address(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"links\.grafana\(.*https://grafana\.example\.com"):
        links.grafana(wrong)
    with pytest.raises(ConfigurationError, match=r"links\.jaeger\("):
        links.jaeger(wrong)


@pytest.mark.parametrize("wrong", ["https://datadoghq.com", "datadoghq", "a b.com", "datadoghq.com/x", ""])
def test_datadog_refuses_what_is_no_site(wrong: str) -> None:
    with pytest.raises(ConfigurationError, match="must be a host name"):
        links.datadog(wrong)
