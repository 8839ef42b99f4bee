"""Every query that grafana/ and its docs hold, with its language and where it stands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote

import yaml

from tests.conftest import ROOT

GRAFANA = ROOT / "grafana"
DASHBOARDS = sorted((GRAFANA / "dashboards").glob("*.json"))
RULES = sorted((GRAFANA / "alerts").glob("*.rules.yaml"))
PROVISIONING = sorted((GRAFANA / "provisioning").rglob("*.yaml"))
PAGES = [ROOT / "docs" / "how-to" / f"{name}.md" for name in ("grafana", "loki", "tempo")]

Language = Literal["promql", "logql", "traceql"]
LANGUAGES: Mapping[str, Language] = {"prometheus": "promql", "loki": "logql", "tempo": "traceql"}
VALUES = {
    "service": "shop",
    "task": "fulfill_order",
    "slow": "1ms",
    "__rate_interval": "1m",
    "__auto": "1m",
    "__range": "5m",
    "__from": "0",
    "__to": "1",
    "__data.fields.service_name": "shop",
    "__data.fields.messaging_destination_name": "fulfill_order",
    "__trace.traceId": "0af7651916cd43dd8448eb211c80319c",
}
"""What Grafana would put in the place of its variables."""
TAGS = 'service_name="shop"'
VARIABLE = re.compile(r"\$(?:\{([^}:]+)(?::\w+)?\}|(\w+))")
FENCE = re.compile(r"^```(promql|logql|traceql)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LABEL_VALUES = re.compile(r"label_values\((.+), (\w+)\)")


@dataclass(frozen=True)
class Query:
    """A query as its back end gets it."""

    language: Language
    text: str
    where: str
    is_instant: bool = False
    """Asked for one moment: in tables and alerts."""

    def __str__(self) -> str:
        return f"{self.where}: {self.text}"


def in_its_place(text: str) -> str:
    """The query with values for Grafana's variables; an unknown one is an error."""
    values = {**VALUES, "__tags": TAGS}
    return VARIABLE.sub(lambda found: values[found[1] or found[2]], text)


@cache
def all_queries() -> tuple[Query, ...]:
    """Those of dashboards, alert rules, data sources and docs."""
    return (*of_dashboards(), *of_alerts(), *of_provisioning(), *of_docs())


def of_dashboards() -> Iterator[Query]:
    for file in DASHBOARDS:
        dashboard = read(file)
        for panel in panels(dashboard):
            where = f"{file.stem}, {panel['title']}"
            for target in panel["targets"]:
                yield _of_target(target, where)
            for link in links(panel):
                yield from _of_link(link["url"], where)
        for selector, _ in label_values(dashboard):
            yield Query("promql", in_its_place(selector), f"{file.stem}, a variable", is_instant=True)


def of_alerts() -> Iterator[Query]:
    for file in RULES:
        for group in yaml.safe_load(file.read_text())["groups"]:
            for rule in group["rules"]:
                yield Query("promql", rule["expr"], f"the alert {rule['alert']}", is_instant=True)


def of_provisioning() -> Iterator[Query]:
    sources = {source["uid"]: source["jsonData"] for source in data_sources()}
    logs = sources["tempo"]["tracesToLogsV2"]["query"]
    yield Query("logql", in_its_place(logs), "trace to logs")
    for query in sources["tempo"]["tracesToMetrics"]["queries"]:
        yield Query("promql", in_its_place(query["query"]), f"trace to metrics, {query['name']}")


def of_docs() -> Iterator[Query]:
    for page in PAGES:
        for language, block in FENCE.findall(page.read_text()):
            for text in filter(None, block.splitlines()):
                yield Query(language, text, page.name)


def data_sources() -> list[dict[str, Any]]:
    """The provisioned data sources as Grafana understands them: ``$$`` is ``$``, and no variable of the environment is used."""
    text = (GRAFANA / "provisioning" / "datasources" / "datasources.yaml").read_text()
    assert "$" not in re.sub(r"#.*|\$\$", "", text), "a single $ is a variable of the environment"
    found: list[dict[str, Any]] = yaml.safe_load(text.replace("$$", "$"))["datasources"]
    return found


def read(file: Path) -> dict[str, Any]:
    dashboard: dict[str, Any] = json.loads(file.read_text())
    return dashboard


def panels(dashboard: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All panels that show something."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def links(panel: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All data links of a panel."""
    config = panel["fieldConfig"]
    properties = [each for override in config["overrides"] for each in override["properties"]]
    of_columns = [link for each in properties if each["id"] == "links" for link in each["value"]]
    return [*config["defaults"]["links"], *of_columns]


def label_values(dashboard: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Selector and label of each variable that Prometheus fills."""
    texts = [variable["definition"] for variable in dashboard["templating"]["list"] if variable["type"] == "query"]
    found = [LABEL_VALUES.fullmatch(text) for text in texts]
    assert all(found), texts
    return [(match[1], match[2]) for match in found if match]


def _of_target(target: Mapping[str, Any], where: str) -> Query:
    language = LANGUAGES[target["datasource"]["uid"]]
    text = target["query"] if language == "traceql" else target["expr"]
    return Query(language, in_its_place(text), where, target.get("instant", False))


def _of_link(url: str, where: str) -> Iterator[Query]:
    """The queries that a link to Explore opens."""
    if "panes=" not in url:
        return
    panes = json.loads(unquote(url.partition("panes=")[2]))
    for pane in panes.values():
        for query in pane["queries"]:
            yield Query(LANGUAGES[pane["datasource"]], in_its_place(query["query"]), f"{where}, a link")
