"""Where the dashboard hangs in an app, and whether something else hangs there already."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Scope

from otel_taskflow.errors import ConfigurationError

_TASK = "/00000000-0000-4000-8000-000000000000"
_PROBES: Mapping[str, Sequence[str]] = {
    "GET": (
        *("", _TASK, f"{_TASK}/logs", f"{_TASK}/logs.txt"),
        *("/metrics", "/health", "/livez", "/readyz", "/openapi.json"),
        *("/dashboard", "/dashboard/health", "/dashboard/stream", "/dashboard/static/app.js"),
        *(f"/dashboard/tasks{_TASK}", "/dashboard/trace/00000000000000000000000000000001"),
    ),
    "POST": (f"{_TASK}/cancel", f"{_TASK}/retry"),
}
"""By method: a request for each route of the sub-application, but for those that only say what is not in this release."""


def route_path(scope: Scope) -> str:
    """The path as the routes of the app see it: without the prefix under which the app itself is reached."""
    path: str = scope["path"]
    root = scope.get("root_path", "")
    if root and path.startswith(root) and path[len(root) : len(root) + 1] in ("", "/"):
        return path[len(root) :]
    return path


def inner_path(scope: Scope, path: str) -> str:
    """What follows the admin's own path."""
    return route_path(scope).removeprefix(path)


class AdminRoute(Route):
    """Serves exactly ``path`` and everything below it. The sub-application sees the whole path.

    It is no Mount: FastAPI's telemetry puts a mount's path before the paths of the sub-application, which hold it already.
    """

    def __init__(self, path: str, app: ASGIApp, name: str) -> None:
        super().__init__(f"{path}/{{path:path}}", app, name=name, include_in_schema=False)
        self.path = path

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Full for http at or below the path."""
        if scope["type"] in ("http", "websocket") and is_at_or_below(route_path(scope), self.path):
            return Match.FULL, {"endpoint": self.app}
        return Match.NONE, {}


def mount(routes: list[BaseRoute], path: str, app: ASGIApp) -> AdminRoute:
    """Hang the sub-application into an app's routes."""
    route = AdminRoute(path, app, "otel_taskflow")
    routes.append(route)
    return route


def is_at_or_below(path: str, base: str) -> bool:
    """True for ``/tasks`` and ``/tasks/...``, not for ``/tasks-of-today``."""
    return path == base or path.startswith(base + "/")


def refuse_collisions(routes: Sequence[BaseRoute], path: str, own: BaseRoute | None = None) -> None:
    """Raise ConfigurationError if a route lies at or below ``path``, or stands before ours and takes its requests."""
    position = list(routes).index(own) if own is not None and own in routes else len(routes)
    for index, route in enumerate(routes):
        if route is own:
            continue
        taken = _literal_collision(route, path) or (_shadow(route, path) if index < position else None)
        if taken is not None:
            raise ConfigurationError(
                f"TaskAdmin(path={path!r}) collides with the app's route {taken!r}; "
                f"give TaskAdmin another path, e.g. path='/admin{path}', or move the route"
            )


def _literal_collision(route: BaseRoute, path: str) -> str | None:
    found = next((each for each in _paths(route) if is_at_or_below(each, path)), None)
    if found is not None:
        return found
    # A router that keeps its routes to itself: it takes what is ours, but not what is nobody's.
    nobodys = f"/{secrets.token_hex(8)}"
    return _name(route) if _takes(route, path) and not _takes(route, nobodys) else None


def _shadow(route: BaseRoute, path: str) -> str | None:
    return _name(route) if _takes(route, path) else None


def _takes(route: BaseRoute, base: str) -> bool:
    return any(
        route.matches(_scope(base + probe, method))[0] is Match.FULL
        for method, probes in _PROBES.items()
        for probe in probes
    )


def _scope(path: str, method: str) -> Scope:
    return {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [],
        "path_params": {},
    }


def _paths(route: Any, prefix: str = "") -> Iterator[str]:
    """Paths of a route, and of the routes of an included router that keeps them to itself."""
    path = getattr(route, "path_format", None) or getattr(route, "path", None)
    if isinstance(path, str):
        yield prefix + _without_catch_all(path)
    router = getattr(route, "original_router", None)
    if router is not None:
        context = getattr(route, "include_context", None)
        inner = prefix + str(getattr(context, "prefix", "") or "")
        yield from _all_paths(getattr(router, "routes", ()), inner)


def _all_paths(routes: Iterable[Any], prefix: str) -> Iterator[str]:
    for route in routes:
        yield from _paths(route, prefix)


def _without_catch_all(path: str) -> str:
    """``/tasks`` for the mount ``/tasks/{path}``."""
    return re.sub(r"/\{path\}$", "", path) or "/"


def _name(route: BaseRoute) -> str:
    return str(getattr(route, "path", None) or next(iter(_paths(route)), None) or route)
