"""Where a click leads: another dashboard, the traces behind a figure, the app's own dashboard."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

OVERVIEW = "otel-taskflow-overview"
TASK = "otel-taskflow-task"
HEALTH = "otel-taskflow-health"

_VARIABLE = re.compile(r"\$\{[^}]+\}")


@dataclass(frozen=True)
class Link:
    """A data link; ``${...}`` in the address are Grafana's variables."""

    title: str
    url: str
    is_elsewhere: bool = False

    def to_json(self) -> dict[str, Any]:
        """The link of a field."""
        return {"title": self.title, "url": self.url, "targetBlank": self.is_elsewhere}


def task_detail(service: str, task: str) -> Link:
    """The dashboard of one task, for the same time."""
    address = f"/d/{TASK}?var-service={service}&var-task={task}&${{dashboard:queryparam}}&${{__url_time_range}}"
    return Link("Task in detail", address)


def traces(title: str, traceql: str) -> Link:
    """The spans that this TraceQL finds, in Explore, for the same time."""
    query = {
        "refId": "A",
        "datasource": {"type": "tempo", "uid": "tempo"},
        "queryType": "traceql",
        "tableType": "spans",
        "limit": 20,
        "query": traceql,
    }
    return Link(title, _explore(query))


def local_task(task_id: str) -> Link:
    """The page of one task in the app's own dashboard, whose address is the variable ``$dashboard``."""
    return Link("Lines and attempts in the app's dashboard", f"${{dashboard:raw}}/dashboard/tasks/{task_id}", True)


def _explore(query: dict[str, Any]) -> str:
    pane = {"datasource": "tempo", "queries": [query], "range": {"from": "${__from}", "to": "${__to}"}}
    return f"/explore?schemaVersion=1&orgId=1&panes={_encode(json.dumps({'a': pane}, separators=(',', ':')))}"


def _encode(text: str) -> str:
    """Percent-encode all but the variables, which Grafana must still recognise."""
    parts = zip(_VARIABLE.split(text), [*_VARIABLE.findall(text), ""], strict=True)
    return "".join(quote(fixed, safe="") + variable for fixed, variable in parts)
