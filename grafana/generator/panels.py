"""Parts of a dashboard as frozen values, and how each is said in Grafana's classic JSON (schema version 39)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from grafana.generator.links import Link

Json = dict[str, Any]
Source = Literal["prometheus", "loki", "tempo"]
"""Both type and uid of the data source, as in ``provisioning/datasources``."""


@dataclass(frozen=True)
class Query:
    """One question to a data source; ``$name`` stands for variables of the dashboard."""

    text: str
    legend: str = ""
    source: Source = "prometheus"
    shape: Literal["time_series", "table", "heatmap"] = "time_series"
    exemplars: bool = False

    def to_json(self, ref: str) -> Json:
        """The target of a panel. ``ref`` is its letter."""
        return {"refId": ref, "datasource": data_source(self.source), **_TARGETS[self.source](self)}


@dataclass(frozen=True)
class Panel:
    """What every panel says: a title, what it shows and where that comes from, its unit, and what an empty one means."""

    title: str
    kind: Literal["stat", "timeseries", "heatmap", "table", "logs"]
    description: str
    unit: str
    no_data: str
    queries: Sequence[Query]
    width: int = 8
    height: int = 8
    links: Sequence[Link] = ()
    thresholds: Mapping[str, float] = field(default_factory=dict)
    """Colours by the value from which they hold; green is below."""
    columns: Sequence[Column] = ()

    def to_json(self, number: int, x: int, y: int) -> Json:
        """The panel at this place of the grid, which is 24 columns wide."""
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "datasource": data_source(self.queries[0].source),
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "targets": [query.to_json(ref) for ref, query in zip("ABCDEF", self.queries, strict=False)],
            "fieldConfig": {"defaults": self._defaults(), "overrides": [column.to_json() for column in self.columns]},
            "options": _OPTIONS[self.kind],
        }

    def _defaults(self) -> Json:
        steps: list[Json] = [{"color": "green", "value": None}]
        steps += [{"color": color, "value": value} for color, value in self.thresholds.items()]
        return {
            "unit": self.unit,
            "noValue": self.no_data,
            "min": 0,
            "links": [link.to_json() for link in self.links],
            "thresholds": {"mode": "absolute", "steps": steps},
            "custom": _CUSTOM.get(self.kind, {}),
        }


@dataclass(frozen=True)
class Column:
    """How a table shows one field: under which title, with which unit, leading where. ``hidden`` ones only serve links."""

    name: str
    title: str
    unit: str = ""
    links: Sequence[Link] = ()
    hidden: bool = False

    def to_json(self) -> Json:
        """The override of this field."""
        properties: list[Json] = [{"id": "displayName", "value": self.title}]
        if self.unit:
            properties.append({"id": "unit", "value": self.unit})
        if self.links:
            properties.append({"id": "links", "value": [link.to_json() for link in self.links]})
        if self.hidden:
            properties.append({"id": "custom.hidden", "value": True})
        return {"matcher": {"id": "byName", "options": self.name}, "properties": properties}


@dataclass(frozen=True)
class Row:
    """A headline and the panels below it, from left to right."""

    title: str
    panels: Sequence[Panel]


def data_source(source: Source) -> Json:
    """The reference to a provisioned data source."""
    return {"type": source, "uid": source}


def _prometheus(query: Query) -> Json:
    return {
        "expr": query.text,
        "legendFormat": query.legend,
        "format": query.shape,
        "instant": query.shape == "table",
        "range": query.shape != "table",
        "exemplar": query.exemplars,
    }


def _loki(query: Query) -> Json:
    return {"expr": query.text, "legendFormat": query.legend, "queryType": "range", "maxLines": 200}


def _tempo(query: Query) -> Json:
    # A row for each span; several of one trace, because all attempts of a task are in the trace of its request.
    return {"query": query.text, "queryType": "traceql", "tableType": "spans", "limit": 20, "spss": 10}


_TARGETS = {"prometheus": _prometheus, "loki": _loki, "tempo": _tempo}

_OPTIONS: Mapping[str, Json] = {
    "stat": {
        "reduceOptions": {"calcs": ["lastNotNull"]},
        "colorMode": "value",
        "graphMode": "area",
        "textMode": "auto",
    },
    "timeseries": {
        "legend": {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"], "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "heatmap": {
        "calculate": False,
        "yAxis": {"unit": "s"},
        "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64},
        "exemplars": {"color": "rgba(31, 120, 193, 0.7)"},
        "filterValues": {"le": 1e-9},
        "tooltip": {"mode": "single", "yHistogram": True},
        "legend": {"show": True},
    },
    "table": {"showHeader": True, "cellHeight": "sm"},
    "logs": {"showTime": True, "wrapLogMessage": True, "enableLogDetails": True, "sortOrder": "Descending"},
}
_CUSTOM: Mapping[str, Json] = {
    "timeseries": {"fillOpacity": 10, "lineWidth": 1, "showPoints": "auto", "spanNulls": False},
    "table": {"align": "auto", "filterable": True},
}
