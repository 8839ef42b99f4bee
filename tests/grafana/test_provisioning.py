"""Grafana finds data sources and dashboards, and the way from a log line, an exemplar and a span to the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from grafana.generator.dashboards import LOCAL_DASHBOARD
from tests.grafana.queries import PROVISIONING, data_sources

pytestmark = pytest.mark.once


def source(uid: str) -> dict[str, Any]:
    (found,) = [each for each in data_sources() if each["uid"] == uid]
    settings: dict[str, Any] = found["jsonData"]
    return settings


@pytest.mark.parametrize("file", PROVISIONING, ids=lambda file: file.name)
def test_every_file_is_yaml_of_the_version_that_grafana_reads(file: Path) -> None:
    assert yaml.safe_load(file.read_text())["apiVersion"] == 1


def test_a_log_line_leads_to_its_trace_and_to_its_task() -> None:
    trace, task = source("loki")["derivedFields"]
    assert (trace["matcherType"], trace["matcherRegex"], trace["datasourceUid"]) == ("label", "trace_id", "tempo")
    assert trace["url"] == "${__value.raw}"
    assert task["matcherRegex"] == "otel_taskflow_task_id"
    assert task["url"] == f"{LOCAL_DASHBOARD}/dashboard/tasks/${{__value.raw}}"


def test_an_exemplar_leads_to_its_trace() -> None:
    (destination,) = source("prometheus")["exemplarTraceIdDestinations"]
    assert (destination["name"], destination["datasourceUid"]) == ("trace_id", "tempo")


def test_a_span_leads_to_its_log_lines_its_metrics_and_the_service_map() -> None:
    tempo = source("tempo")
    assert tempo["tracesToLogsV2"]["query"] == '{${__tags}} | trace_id="${__trace.traceId}"'
    assert tempo["tracesToLogsV2"]["datasourceUid"] == "loki"
    assert all("$__tags" in query["query"] for query in tempo["tracesToMetrics"]["queries"])
    assert tempo["serviceMap"]["datasourceUid"] == tempo["tracesToMetrics"]["datasourceUid"] == "prometheus"


def test_no_address_carries_a_secret_and_no_source_another_uid_than_its_type() -> None:
    for each in data_sources():
        assert each["uid"] == each["type"]
        assert "@" not in each["url"]
        assert not {"secureJsonData", "basicAuthUser", "password"} & set(each)
