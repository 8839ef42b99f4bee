"""Deep links: named URL templates that lead from the dashboard and the API to the back ends that have the telemetry.

    TaskAdmin(app, task_manager, links=links.grafana("https://grafana.example.com"))
    TaskAdmin(app, task_manager, links={"Our traces": "https://traces.example.com/{trace_id}?span={span_id}"})

Presets and templates of your own are mappings of a name to a template: combine them with ``|``. Standard library only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, NoReturn
from urllib.parse import quote, urlsplit

from otel_taskflow.errors import ConfigurationError


class Place(str, Enum):
    """What a template is about; the most particular of its placeholders decides."""

    TASK = "task"
    """Shown with the task."""
    SPAN = "span"
    """Shown with each span: the request's, that of ``add_task``, each attempt's, also beside its lines."""
    ATTEMPT = "attempt"
    """Shown with each attempt."""
    LINE = "line"
    """Shown with each log line."""


PLACEHOLDERS: Mapping[str, Place] = {
    "task_id": Place.TASK,
    "task_name": Place.TASK,
    "time": Place.TASK,
    "from": Place.TASK,
    "to": Place.TASK,
    "trace_id": Place.SPAN,
    "span_id": Place.SPAN,
    "span_id_decimal": Place.SPAN,
    "attempt_number": Place.ATTEMPT,
    "line": Place.LINE,
    "line_uid": Place.LINE,
}
"""The names that may stand in braces, and what each needs."""

_LONGEST_NAME = 60
_ORDER = list(Place)
_IN_BRACES = re.compile(r"\{([^{}]*)\}")
_URL = re.compile(r"https?://[A-Za-z0-9._:\[\]-]+(?:[/?#][!#$%&'()*+,./:;=?@\[\]_~A-Za-z0-9|-]*)?")
_HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")


@dataclass(frozen=True, slots=True)
class Link:
    """A template that was checked."""

    name: str
    template: str
    place: Place

    @property
    def needs(self) -> frozenset[str]:
        """Its placeholders."""
        return frozenset(_IN_BRACES.findall(self.template))

    def fill(self, values: Mapping[str, object]) -> str:
        """The URL. Every value is encoded, so that it is one part of the URL and nothing else, whatever it holds."""
        return _IN_BRACES.sub(lambda found: _encoded(str(values[found[1]])), self.template)


def grafana(
    url: str, *, tempo: str | None = "tempo", loki: str | None = "loki", service: str | None = None
) -> dict[str, str]:
    """Links into Grafana's Explore: a span in its trace (Tempo); the lines of a task, of an attempt, and one line (Loki).

    Args:
        url: Where Grafana is, with its path if it has one.
        tempo: UID of the Tempo data source; None: no links to traces.
        loki: UID of the Loki data source that gets the log records by OTLP; None: no links to lines.
        service: The ``service.name`` of the app. Without it Loki looks through all services.

    Raises ConfigurationError for a URL that cannot be used.
    """
    base = _checked_base("grafana", url)
    found = {}
    if tempo is not None:
        trace = {"queryType": "traceql", "query": "{trace_id}"}
        found["Trace in Grafana"] = _explore(base, "tempo", tempo, trace, {"trace": {"spanId": "{span_id}"}})
    if loki is not None:
        matcher = '=~".+"' if service is None else f"={json.dumps(service)}"
        stream = f"{{service_name{matcher}}}"
        of_task = f'{stream} | otel_taskflow_task_id="{{task_id}}"'
        queries = {
            "Logs in Grafana": of_task,
            "Attempt's logs in Grafana": f'{of_task} | otel_taskflow_attempt_number="{{attempt_number}}"',
            "Line in Grafana": f'{stream} | log_record_uid="{{line_uid}}"',
        }
        found |= {name: _explore(base, "loki", loki, {"expr": expr}) for name, expr in queries.items()}
    return found


def jaeger(url: str) -> dict[str, str]:
    """A link to a span in its trace in Jaeger's page.

    Args:
        url: Where Jaeger's page is, with its path if it has one.

    Raises ConfigurationError for a URL that cannot be used.
    """
    return {"Trace in Jaeger": f"{_checked_base('jaeger', url)}/trace/{{trace_id}}?uiFind={{span_id}}"}


def datadog(site: str = "datadoghq.com") -> dict[str, str]:
    """Links into Datadog: a span in its trace; the lines of a task, of an attempt, and one line.

    Args:
        site: Your Datadog site (``datadoghq.eu``, ``us5.datadoghq.com``) or your own host name there.

    Raises ConfigurationError for what is no host name.
    """
    if not _HOST.fullmatch(site):
        raise ConfigurationError(f"links.datadog(site={site!r}) must be a host name, e.g. 'datadoghq.com'")
    base = f"https://{site if site.count('.') > 1 else f'app.{site}'}"
    of_task = '@otel_taskflow.task.id:"{task_id}"'
    queries = {
        "Logs in Datadog": of_task,
        "Attempt's logs in Datadog": f"{of_task} @otel_taskflow.attempt.number:{{attempt_number}}",
        "Line in Datadog": '@log.record.uid:"{line_uid}"',
    }
    return {
        "Trace in Datadog": f"{base}/apm/trace/{{trace_id}}?spanID={{span_id_decimal}}&timeHint={{time}}",
        **{
            name: f"{base}/logs?query={_around_placeholders(query)}&from_ts={{from}}&to_ts={{to}}&live=false"
            for name, query in queries.items()
        },
    }


def read_links(given: Any) -> tuple[Link, ...]:
    """What was given as ``links=``, checked. Raises ConfigurationError that names the template and the remedy."""
    if given is None:
        return ()
    if not isinstance(given, Mapping):
        raise ConfigurationError(
            f"TaskAdmin(links={given!r}) must be a mapping of names to URL templates, "
            "e.g. {'Our traces': 'https://traces.example.com/{trace_id}'} or links.grafana('https://...')"
        )
    return tuple(_checked(name, template) for name, template in given.items())


def _checked(name: Any, template: Any) -> Link:
    if not isinstance(name, str) or not name.strip() or len(name) > _LONGEST_NAME or not name.isprintable():
        _refuse(name, template, f"a link's name must be a text of 1 to {_LONGEST_NAME} characters")
    if not isinstance(template, str):
        _refuse(name, template, "the template must be a text")
    used = _IN_BRACES.findall(template)
    for each in used:
        if each not in PLACEHOLDERS:
            _refuse(
                name,
                template,
                f"{{{each}}} is no placeholder; there are {', '.join(PLACEHOLDERS)} (braces of the URL itself are %7B and %7D)",
            )
    if (why := _fault(_IN_BRACES.sub("x", template), template)) is not None:
        _refuse(name, template, why)
    places = [PLACEHOLDERS[each] for each in used]
    return Link(name, template, max(places, key=_ORDER.index, default=Place.TASK))


def _fault(url: str, template: str) -> str | None:
    """Why it cannot be linked to; None if it can. ``url`` has some text in the place of each placeholder."""
    if not url.lower().startswith(("http://", "https://")):
        return "it must begin with http:// or https://"
    host = re.split(r"[/?#]", template.partition("://")[2], maxsplit=1)[0]
    if "@" in host:
        return "a name or password does not belong into a link: everybody who sees the page sees it"
    if "{" in host:
        return "a placeholder cannot stand in the host"
    if "{" in url or "}" in url:
        return "braces of the URL itself must be written as %7B and %7D"
    return None if _is_url(url) else "it is no URL; encode what a URL cannot hold, e.g. a space as %20"


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port is not False and _URL.fullmatch(url) is not None
    except ValueError:
        return False


def _refuse(name: Any, template: Any, why: str) -> NoReturn:
    shown = re.sub(r"//[^/@]*@", "//...@", template) if isinstance(template, str) else template
    raise ConfigurationError(f"TaskAdmin(links={{{name!r}: {shown!r}}}): {why}")


def _checked_base(preset: str, url: Any) -> str:
    why = _fault(url, url) if isinstance(url, str) else "it must be a text"
    if why is None and set(url) & set("?#"):
        why = "it must end with the path"
    if why is not None:
        raise ConfigurationError(f"links.{preset}({url!r}): {why}; give it as 'https://{preset}.example.com'")
    return str(url).rstrip("/")


def _explore(
    base: str, kind: str, uid: str, query: Mapping[str, str], state: Mapping[str, object] | None = None
) -> str:
    pane = {
        "datasource": uid,
        "queries": [{"refId": "A", "datasource": {"type": kind, "uid": uid}, **query}],
        "range": {"from": "{from}", "to": "{to}"},
        **({} if state is None else {"panelsState": state}),
    }
    panes = json.dumps({"a": pane}, separators=(",", ":"))
    return f"{base}/explore?schemaVersion=1&panes={_around_placeholders(panes)}"


_KNOWN = re.compile(rf"(\{{(?:{'|'.join(PLACEHOLDERS)})\}})")


def _around_placeholders(text: str) -> str:
    """The text encoded for a URL, but for its placeholders."""
    return "".join(part if _KNOWN.fullmatch(part) else quote(part, safe="") for part in _KNOWN.split(text))


def _encoded(value: str) -> str:
    return quote(value, safe="", errors="replace")
