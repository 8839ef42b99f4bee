"""A whole dashboard: variables, links in its head, rows; and its file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from grafana.generator.links import HEALTH, OVERVIEW, TASK
from grafana.generator.panels import Json, Row, data_source

COLUMNS = 24
LOCAL_DASHBOARD = "http://127.0.0.1:8000/tasks"


class Variable(Protocol):
    """What can be chosen above a dashboard."""

    @property
    def name(self) -> str:
        """What stands after the ``$``."""
        ...

    def to_json(self) -> Json:
        """The entry of the dashboard's variables."""
        ...


@dataclass(frozen=True)
class LabelValues:
    """A choice of the values that a label has in Prometheus; with ``many`` several of them, or all."""

    name: str
    title: str
    selector: str
    label: str
    many: bool = False

    def to_json(self) -> Json:
        """A variable of the type ``query``."""
        query = f"label_values({self.selector}, {self.label})"
        return {
            "type": "query",
            "name": self.name,
            "label": self.title,
            "datasource": data_source("prometheus"),
            "definition": query,
            "query": {"qryType": 1, "query": query, "refId": "A"},
            "refresh": 2,  # when the time range changes
            "sort": 1,
            "multi": self.many,
            "includeAll": self.many,
            "allValue": ".+" if self.many else None,
            "current": {"selected": True, "text": ["All"], "value": ["$__all"]} if self.many else {},
        }


@dataclass(frozen=True)
class TextBox:
    """Free text."""

    name: str
    title: str
    text: str

    def to_json(self) -> Json:
        """A variable of the type ``textbox``."""
        current = {"selected": True, "text": self.text, "value": self.text}
        return {
            "type": "textbox",
            "name": self.name,
            "label": self.title,
            "query": self.text,
            "current": current,
            "options": [current],
        }


DASHBOARD = TextBox("dashboard", "App's dashboard", LOCAL_DASHBOARD)
SERVICES = LabelValues("service", "Service", "otel_taskflow_queue_depth", "service_name", many=True)


@dataclass(frozen=True)
class Dashboard:
    """One file of ``grafana/dashboards``."""

    file: str
    uid: str
    title: str
    description: str
    variables: Sequence[Variable]
    rows: Sequence[Row]
    local_page: str = "/dashboard"
    """Which page of the app's dashboard the link in the head opens."""

    def to_json(self) -> Json:
        """The dashboard in Grafana's classic model."""
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.description,
            "tags": ["otel_taskflow"],
            "schemaVersion": 39,
            "version": 1,
            "editable": True,
            "graphTooltip": 1,  # one crosshair in all panels
            "time": {"from": "now-1h", "to": "now"},
            "refresh": "30s",
            "timezone": "browser",
            "annotations": {"list": []},
            "links": self._links(),
            "templating": {"list": [variable.to_json() for variable in self.variables]},
            "panels": list(_placed(self.rows)),
        }

    def text(self) -> str:
        """What its file holds."""
        return json.dumps(self.to_json(), indent=2, ensure_ascii=False) + "\n"

    def _links(self) -> list[Json]:
        others = [(uid, title) for uid, title in _DASHBOARDS.items() if uid != self.uid]
        inside = [_head_link(title, f"/d/{uid}?${{dashboard:queryparam}}") for uid, title in others]
        return [*inside, _head_link("App's dashboard", f"${{dashboard:raw}}{self.local_page}", is_elsewhere=True)]


_DASHBOARDS = {OVERVIEW: "Overview", TASK: "Task in detail", HEALTH: "Telemetry health"}


def _head_link(title: str, url: str, *, is_elsewhere: bool = False) -> Json:
    return {
        "type": "link",
        "title": title,
        "url": url,
        "icon": "external link" if is_elsewhere else "dashboard",
        "tooltip": "",
        "tags": [],
        "asDropdown": False,
        "includeVars": False,
        "keepTime": not is_elsewhere,
        "targetBlank": is_elsewhere,
    }


def _placed(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """All rows and panels with their numbers and places: left to right, in lines as high as their highest panel."""
    number, y = 1, 0
    for row in rows:
        yield {"id": number, "type": "row", "title": row.title, "collapsed": False, "panels": [], "gridPos": _line(y)}
        number, y, x, height = number + 1, y + 1, 0, 0
        for panel in row.panels:
            if x + panel.width > COLUMNS:
                x, y, height = 0, y + height, 0
            yield panel.to_json(number, x, y)
            number, x, height = number + 1, x + panel.width, max(height, panel.height)
        y += height


def _line(y: int) -> Json:
    return {"x": 0, "y": y, "w": COLUMNS, "h": 1}
