"""What the links into Grafana ask Loki for is what they are about: asked of a real Loki, in the range of time that they name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from otel_taskflow import OTLPExporter, TaskAdmin, TaskManager, links, task_log
from tests.backends.loki import Loki, running_loki
from tests.backends.stack import wait_until

pytestmark = [pytest.mark.backends, pytest.mark.timeout(120)]


@dataclass(frozen=True)
class Followed:
    """A task of three attempts as the API tells it, and the Loki that has its lines."""

    loki: Loki
    task: dict[str, Any]
    entries: list[dict[str, Any]]

    def texts(self, url: str) -> list[str]:
        """The lines that Grafana would show, without the records of events."""
        pane = json.loads(parse_qs(urlsplit(url).query)["panes"][0])["a"]
        begin, end = (f"{pane['range'][name]}000000" for name in ("from", "to"))
        parameters = {"query": pane["queries"][0]["expr"], "start": begin, "end": end, "direction": "forward"}
        streams = self.loki.get("/loki/api/v1/query_range", parameters)["data"]["result"]
        found = [(int(value[0]), value[1], stream["stream"]) for stream in streams for value in stream["values"]]
        of_lines = sorted((moment, text) for moment, text, labels in found if labels["log_record_uid"][-1].isdigit())
        return [text for _, text in of_lines]


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Followed]:
    folder = tmp_path_factory.mktemp("followed")
    with running_loki(folder) as loki:
        task, entries = run_tasks(folder, loki)
        wait_until(lambda: len(loki.lines('{service_name=~".+"} | log_record_uid=~".+-[0-9]+"')) == 12)
        yield Followed(loki, task, entries)


def run_tasks(folder: Path, loki: Loki) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Two of them; what the API says of the second."""
    tasks = TaskManager(dir=folder / "state", observers=[OTLPExporter.loki(loki.url, schedule_delay=0.0)])
    app = FastAPI()
    TaskAdmin(app, tasks, insecure=True, links=links.grafana("http://grafana.example.com"))

    @tasks.task(retries=2, delay=0.01)
    def fulfil(order: str) -> None:
        task_log(f"Order {order} received")
        task_log(f"Charging {order}")
        raise ValueError("the gateway said no")

    with TestClient(app, base_url="http://localhost") as client:
        tasks.add_task(fulfil, "A1")
        task_id = tasks.add_task(fulfil, "A2")
        assert tasks.drain()
        assert tasks.force_flush(30.0)
        task = client.get(f"/tasks/{task_id}").raise_for_status().json()
        entries = client.get(f"/tasks/{task_id}/logs?links=true").raise_for_status().json()["entries"]
    return task, entries


def test_the_link_of_a_task_finds_the_lines_of_all_its_attempts(followed: Followed) -> None:
    assert followed.texts(followed.task["links"]["Logs in Grafana"]) == ["Order A2 received", "Charging A2"] * 3


def test_the_link_of_an_attempt_finds_its_lines_only(followed: Followed) -> None:
    for attempt in followed.task["attempts"]:
        assert followed.texts(attempt["links"]["Attempt's logs in Grafana"]) == ["Order A2 received", "Charging A2"]


def test_the_link_of_a_line_finds_that_line(followed: Followed) -> None:
    assert len(followed.entries) == 6
    assert [followed.texts(entry["links"]["Line in Grafana"]) for entry in followed.entries] == [
        [entry["message"]] for entry in followed.entries
    ]
