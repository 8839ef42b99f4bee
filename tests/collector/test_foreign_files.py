"""The files for Alloy, the Datadog Agent and the CloudWatch agent, which do not run here: do they parse and fit a real line?"""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from otel_taskflow import FileLogger
from otel_taskflow.demo.shop import make_shop
from tests.collector.config_files import content
from tests.collector.process import CONFIG

pytestmark = pytest.mark.once
FILES = CONFIG / "files"
ALLOY = (FILES / "alloy.alloy").read_text()
PAIR = re.compile(r'^\s*(\w+)\s*= "(\w*)"', re.MULTILINE)
BLOCK = re.compile(r'^(?P<component>[\w.]+) "(?P<label>\w+)" \{$', re.MULTILINE)


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What FileLogger wrote for an order of the demo's shop."""
    from fastapi.testclient import TestClient

    folder = tmp_path_factory.mktemp("shop")
    file = folder / "tasks.jsonl"
    shop = make_shop(seed=3, dir=folder / "state", observers=[FileLogger(file, format="json")])
    with TestClient(shop.app) as client:
        order = {"order_id": "A1", "customer_id": "c1", "total": 10.5}
        client.post("/orders", json=order).raise_for_status()
        assert shop.tasks.drain(60)
    return [json.loads(line) for line in file.read_text().splitlines()]


def stages(name: str) -> list[str]:
    """The inner text of each ``stage.name`` block of the Alloy file."""
    return re.findall(rf"stage\.{name} \{{\n(.*?)\n  \}}", ALLOY, re.DOTALL)


def keys(lines: list[dict[str, Any]]) -> set[str]:
    return set.intersection(*(set(line) for line in lines))


def extras(lines: list[dict[str, Any]]) -> set[str]:
    return {key for line in lines for key in line["extra"]}


def test_alloy_reads_keys_that_every_line_has(lines: list[dict[str, Any]]) -> None:
    of_line, of_extras = (set(dict(PAIR.findall(stage)).values()) for stage in stages("json"))
    assert of_line <= keys(lines)
    assert of_extras - {"extra"} <= extras(lines)
    assert "order_id" in of_extras


def test_alloy_uses_only_what_it_has_read() -> None:
    read = {name for stage in stages("json") for name, _ in PAIR.findall(stage)}
    [metadata] = stages("structured_metadata")
    used = {name for name, _ in PAIR.findall(metadata)}
    sources = {found[1] for found in PAIR.findall(ALLOY) if found[0] == "source"}
    assert used <= read
    assert sources <= read


def test_alloy_names_its_components_and_closes_its_blocks() -> None:
    components = {f"{found['component']}.{found['label']}" for found in BLOCK.finditer(ALLOY)}
    referred = set(re.findall(r"\b((?:local|loki)\.[\w.]+)\.(?:receiver|targets)\b", ALLOY))
    assert referred <= components
    assert len(components) == 4
    code = re.sub(r'"(?:[^"\\]|\\.)*"|//.*', "", ALLOY)
    assert [code.count(each) for each in "{[("] == [code.count(each) for each in "}])"]


def test_the_time_of_a_line_has_the_format_that_alloy_is_told(lines: list[dict[str, Any]]) -> None:
    [stage] = stages("timestamp")
    assert dict(PAIR.findall(stage)) == {"source": "time", "format": "RFC3339Nano"}
    for line in lines:
        assert datetime.fromisoformat(line["time"]).tzinfo is not None
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?[+-]\d\d:\d\d", line["time"])


def test_datadogs_pipeline_takes_the_lines_of_the_agents_source() -> None:
    [source] = content(FILES / "datadog-agent.yaml")["logs"]
    pipeline = json.loads((FILES / "datadog-pipeline.json").read_text())
    assert pipeline["filter"]["query"] == f"source:{source['source']}"
    assert pipeline["is_enabled"]


def test_datadogs_pipeline_reads_keys_that_every_line_has(lines: list[dict[str, Any]]) -> None:
    pipeline = json.loads((FILES / "datadog-pipeline.json").read_text())
    named = {key for processor in pipeline["processors"] for key in processor["sources"]}
    assert named == {"time", "level", "message", "trace_id", "span_id"}
    assert named <= keys(lines)
    assert all(processor["is_enabled"] for processor in pipeline["processors"])


def test_the_cloudwatch_agent_finds_begin_and_time_of_a_line(lines: list[dict[str, Any]]) -> None:
    agent = json.loads((FILES / "cloudwatch-agent.json").read_text())
    [file] = agent["logs"]["logs_collected"]["files"]["collect_list"]
    for line in lines:
        text = json.dumps(line)
        assert re.search(file["multi_line_start_pattern"], text)
        assert text.encode(file["encoding"])
        read = datetime.strptime(line["time"][:26], file["timestamp_format"]).replace(tzinfo=timezone.utc)
        assert (file["timezone"], read) == ("UTC", datetime.fromisoformat(line["time"]))


@pytest.mark.parametrize("page", ["ship-log-files.md"])
def test_the_page_names_every_file(page: str) -> None:
    text = (Path(CONFIG.parent) / "docs" / "how-to" / page).read_text()
    assert [file.name for file in FILES.iterdir() if file.name not in text] == []
