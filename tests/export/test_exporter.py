"""``OTLPExporter`` as users write it."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

import pytest

from otel_taskflow import ConfigurationError, FileLogger, TaskObserver
from otel_taskflow.export import OTLPExporter, check_exporters
from otel_taskflow.observers import check_observers
from otel_taskflow.spool import Limits


def urls(exporter: OTLPExporter) -> dict[str, str]:
    return {signal: each.url for signal, each in exporter.resolve({}).endpoints.items()}


def test_it_is_an_observer_among_others() -> None:
    exporter = OTLPExporter(min_level="warn", detail="on_problem", slow=2, task_logs="logs", max_lines_per_second=100)
    assert isinstance(exporter, TaskObserver)
    check_observers([exporter, FileLogger("tasks.log")])
    filters = exporter.resolve({}).filters
    assert (filters.min_level, filters.detail, filters.slow) == ("warning", "on_problem", 2)
    assert (filters.task_logs, filters.max_lines_per_second) == ("logs", 100)


def test_its_limits_are_half_a_gibibyte_and_a_week_unless_said_otherwise() -> None:
    assert OTLPExporter().resolve({}).limits == Limits(512 * 1024**2, 7 * 86_400)
    assert OTLPExporter(max_bytes=1000, max_age=60).resolve({}).limits == Limits(1000, 60)
    assert OTLPExporter().resolve({}).schedule_delay == 1.0
    assert OTLPExporter(schedule_delay=0).resolve({}).schedule_delay == 0.0


def test_presets_differ_in_their_defaults_only() -> None:
    assert urls(OTLPExporter.collector("http://otel:4318")) == {
        "traces": "http://otel:4318/v1/traces",
        "logs": "http://otel:4318/v1/logs",
    }
    assert urls(OTLPExporter.tempo("http://tempo:4318")) == {"traces": "http://tempo:4318/v1/traces"}
    assert urls(OTLPExporter.loki("http://loki:3100")) == {"logs": "http://loki:3100/otlp/v1/logs"}
    assert urls(OTLPExporter.loki("http://loki:3100/otlp/")) == {"logs": "http://loki:3100/otlp/v1/logs"}
    assert urls(OTLPExporter.datadog_agent("http://agent")) == {
        "traces": "http://agent:4318/v1/traces",
        "logs": "http://agent:4318/v1/logs",
    }
    assert urls(OTLPExporter.datadog_agent("http://agent:5318"))["logs"] == "http://agent:5318/v1/logs"


def test_presets_take_every_setting() -> None:
    exporter = OTLPExporter.loki("http://loki:3100", name="logs", headers={"X-Scope-OrgID": "a"}, timeout=3)
    found = exporter.resolve({}).endpoints["logs"]
    assert (exporter.name, dict(found.headers), found.timeout) == ("logs", {"X-Scope-OrgID": "a"}, 3.0)


def test_presets_have_names_of_their_own() -> None:
    exporters = [OTLPExporter(), OTLPExporter.collector(), OTLPExporter.tempo(), OTLPExporter.loki()]
    check_exporters([*exporters, OTLPExporter.datadog_agent()])


def test_a_key_for_another_receiver_is_not_sent_to_a_presets() -> None:
    environ = {"OTEL_EXPORTER_OTLP_HEADERS": "api-key=s3cret", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    assert dict(OTLPExporter.loki().resolve(environ).endpoints["logs"].headers) == {}
    unsaid = OTLPExporter.loki(headers=None, protocol=None)
    assert dict(unsaid.resolve(environ).endpoints["logs"].headers) == {}


def test_two_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"2 exporters are called 'otlp'.*name="):
        check_exporters([OTLPExporter("http://a"), OTLPExporter("http://b")])
    with pytest.raises(ConfigurationError, match="'Tempo', 'tempo'"):
        check_exporters([OTLPExporter.tempo(), OTLPExporter(name="Tempo"), OTLPExporter.loki()])


async def wants_to_be_awaited(_: Any) -> Any:
    return None


class Awaited:
    async def __call__(self, _: Any) -> Any:
        return None


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("endpoint", "localhost:4318"),
        ("endpoint", "grpc://localhost:4317"),
        ("endpoint", 4318),
        ("headers", "api-key=1"),
        ("headers", {"a b": "1"}),
        ("headers", {1: "1"}),
        ("signals", "logs"),
        ("signals", ()),
        ("signals", ("metrics",)),
        ("signals", ("logs", "logs")),
        ("protocol", "grpc"),
        ("name", ""),
        ("name", "../otlp"),
        ("name", "a" * 65),
        ("name", None),
        ("min_level", "loud"),
        ("max_lines_per_second", 0),
        ("before_export", "redact"),
        ("before_export", wants_to_be_awaited),
        ("before_export", Awaited()),
        ("before_export", partial(wants_to_be_awaited)),
        ("task_logs", "none"),
        ("detail", "sometimes"),
        ("detail", wants_to_be_awaited),
        ("slow", -1),
        ("timeout", 0),
        ("timeout", float("inf")),
        ("timeout", True),
        ("compression", "deflate"),
        ("certificate", ""),
        ("client_key", 3),
        ("max_bytes", 0),
        ("max_bytes", 1.5),
        ("max_age", 0),
        ("schedule_delay", -1),
    ],
)
def test_a_bad_value_is_refused_at_once_with_parameter_value_and_remedy(setting: str, value: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        OTLPExporter(**{setting: value})
    told = str(caught.value)
    assert told.startswith("OTLPExporter")
    assert setting in told
    assert "use" in told or "give" in told or "set it" in told
    if setting not in ("headers", "endpoint"):
        assert repr(value) in told


def test_values_of_headers_are_in_no_text() -> None:
    exporter = OTLPExporter("http://me:s3cret@otel", headers={"api-key": "s3cret"})
    shown = f"{exporter!r} {exporter.resolve({})!r} {exporter.resolve({}).endpoints['logs']}"
    assert "s3cret" not in shown
    assert "'api-key': '***'" in shown
    with pytest.raises(ConfigurationError) as caught:
        OTLPExporter(headers={"api-key": "s3cret\r\nx: y"})
    assert "s3cret" not in str(caught.value)


def test_a_servers_text_that_repeats_a_key_is_redacted() -> None:
    endpoint = OTLPExporter(headers={"Authorization": "Bearer abcdef", "x": "1"}).resolve({}).endpoints["logs"]
    assert endpoint.redacted("token abcdef of Bearer abcdef in 1 try") == "token *** of *** in 1 try"


def test_the_environment_is_read_when_it_starts_and_then_fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    exporter = OTLPExporter(signals=("logs",))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://later:4318")
    assert exporter.destination is not None
    assert exporter.destination.endpoints["logs"].url == "http://later:4318/v1/logs"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://even-later:4318")
    assert exporter.destination.endpoints["logs"].url == "http://later:4318/v1/logs"


def test_otel_sdk_disabled_turns_it_off_and_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "TRUE")
    exporter = OTLPExporter()
    with caplog.at_level(logging.INFO, "otel_taskflow"):
        assert exporter.destination is None
        assert exporter.destination is None
    assert caplog.text.count("OTEL_SDK_DISABLED") == 1
